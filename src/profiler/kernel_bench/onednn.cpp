// oneDNN's C interface, version 2 (oneapi/dnnl/dnnl.h), opened at run time.
//
// Descriptors are plain structs in that version, at most 2,800 bytes long; here they are blocks of bytes that
// only oneDNN reads and writes, so no header of it is needed. Its threads are OpenMP's.
#include "profiler/kernel_bench/onednn.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/buffer.h"

namespace smallmind {
namespace {

struct alignas(16) Descriptor {
  std::array<std::byte, 8192> bytes{};
};
using Handle = void*;  // engine, stream, memory, primitive, primitive descriptor
using Status = int;    // 0 is success
using Dims = std::array<std::int64_t, 12>;

struct Argument {
  int index;
  Handle memory;
};
struct Version {
  int major, minor, patch;
};

// Enumerators of oneapi/dnnl/dnnl_types.h.
constexpr int kF32 = 3, kAnyFormat = 1, kCpu = 1, kInOrder = 1, kQueryWeights = 131;
constexpr int kSource = 1, kDestination = 17, kWeights = 33;

}  // namespace

struct OneDnnLibrary::Functions {
  const Version* (*version)();
  Status (*sgemm)(char, char, std::int64_t, std::int64_t, std::int64_t, float, const float*, std::int64_t,
                  const float*, std::int64_t, float, float*, std::int64_t);
  Status (*engine_create)(Handle*, int kind, std::size_t index);
  Status (*stream_create)(Handle*, Handle engine, unsigned flags);
  Status (*desc_by_strides)(Descriptor*, int ndims, const std::int64_t*, int type, const std::int64_t*);
  Status (*desc_by_tag)(Descriptor*, int ndims, const std::int64_t*, int type, int tag);
  std::size_t (*desc_size)(const void*);
  Status (*matmul_desc)(Descriptor*, const void* a, const void* b, const void* bias, const void* c);
  Status (*primitive_desc)(Handle*, const void* op, Handle attributes, Handle engine, Handle hint);
  const void* (*query_desc)(Handle primitive_desc, int what, int index);
  Status (*reorder_desc)(Handle*, const void* from, Handle engine, const void* to, Handle to_engine,
                         Handle attributes);
  Status (*primitive_create)(Handle*, Handle primitive_desc);
  Status (*execute)(Handle primitive, Handle stream, int count, const Argument*);
  Status (*memory_create)(Handle*, const void* desc, Handle engine, void* data);
  Status (*memory_destroy)(Handle);
  Status (*primitive_destroy)(Handle);
  Status (*primitive_desc_destroy)(Handle);
  void (*omp_set_num_threads)(int);
  Handle engine = nullptr, stream = nullptr;
};

namespace {

// What one packed product owns; handles are destroyed in reverse.
struct PackedProduct {
  struct Owned {
    Handle handle;
    Status (*destroy)(Handle);
  };
  std::vector<Owned> owned;
  Buffer weights;
  Handle primitive = nullptr;
  std::array<Argument, 3> arguments{};

  Handle keep(Handle handle, Status (*destroy)(Handle)) {
    owned.push_back({handle, destroy});
    return handle;
  }
  PackedProduct() = default;
  PackedProduct(const PackedProduct&) = delete;
  PackedProduct& operator=(const PackedProduct&) = delete;
  ~PackedProduct() {
    for (auto each = owned.rbegin(); each != owned.rend(); ++each) each->destroy(each->handle);
  }
};

template <class Functions>
bool load(void* library, Functions& f) {
  bool all = true;
  const auto find = [&](const char* symbol, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, symbol));
    all &= function != nullptr;
  };
  find("dnnl_version", f.version);
  find("dnnl_sgemm", f.sgemm);
  find("dnnl_engine_create", f.engine_create);
  find("dnnl_stream_create", f.stream_create);
  find("dnnl_memory_desc_init_by_strides", f.desc_by_strides);
  find("dnnl_memory_desc_init_by_tag", f.desc_by_tag);
  find("dnnl_memory_desc_get_size", f.desc_size);
  find("dnnl_matmul_desc_init", f.matmul_desc);
  find("dnnl_primitive_desc_create", f.primitive_desc);
  find("dnnl_primitive_desc_query_md", f.query_desc);
  find("dnnl_reorder_primitive_desc_create", f.reorder_desc);
  find("dnnl_primitive_create", f.primitive_create);
  find("dnnl_primitive_execute", f.execute);
  find("dnnl_memory_create", f.memory_create);
  find("dnnl_memory_destroy", f.memory_destroy);
  find("dnnl_primitive_destroy", f.primitive_destroy);
  find("dnnl_primitive_desc_destroy", f.primitive_desc_destroy);
  find("omp_set_num_threads", f.omp_set_num_threads);  // of the OpenMP that the library itself depends on
  return all;
}

}  // namespace

std::optional<OneDnnLibrary> OneDnnLibrary::open() {
  void* library = ::dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
  Functions functions{};
  if (library == nullptr || !load(library, functions) ||
      functions.engine_create(&functions.engine, kCpu, 0) != 0 ||
      functions.stream_create(&functions.stream, functions.engine, kInOrder) != 0)
    return std::nullopt;
  OneDnnLibrary result;
  result.functions_ = std::make_shared<const Functions>(functions);
  return result;
}

std::string OneDnnLibrary::version() const {
  const Version* version = functions_->version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

RivalRun OneDnnLibrary::plain(const RivalProduct& p, int threads) const {
  return {"onednn", [f = functions_, threads] { f->omp_set_num_threads(threads); },
          [f = functions_, p] {
            f->sgemm(p.a_transposed ? 'T' : 'N', p.b_transposed ? 'T' : 'N', p.m, p.n, p.k, 1.0f, p.a,
                     p.a_transposed ? p.m : p.k, p.b, p.b_transposed ? p.k : p.n, p.accumulate ? 1.0f : 0.0f,
                     p.c, p.n);
          }};
}

std::optional<RivalRun> OneDnnLibrary::packed(const RivalProduct& p, int threads) const {
  const Functions& f = *functions_;
  f.omp_set_num_threads(threads);  // the layout depends on it
  const auto product = std::make_shared<PackedProduct>();
  Descriptor a, b, any, c, op;
  const auto plain_desc = [&](Descriptor& desc, Index rows, Index columns, bool transposed) {
    const Dims dims{rows, columns}, strides{transposed ? 1 : columns, transposed ? rows : 1};
    return f.desc_by_strides(&desc, 2, dims.data(), kF32, strides.data()) == 0;
  };
  const Dims b_dims{p.k, p.n};
  Handle pd = nullptr, reorder_pd = nullptr, reorder = nullptr;
  if (!plain_desc(a, p.m, p.k, p.a_transposed) || !plain_desc(b, p.k, p.n, p.b_transposed) ||
      !plain_desc(c, p.m, p.n, false) || f.desc_by_tag(&any, 2, b_dims.data(), kF32, kAnyFormat) != 0 ||
      f.matmul_desc(&op, &a, &any, nullptr, &c) != 0 ||
      f.primitive_desc(&pd, &op, nullptr, f.engine, nullptr) != 0)
    return std::nullopt;
  product->keep(pd, f.primitive_desc_destroy);
  if (f.primitive_create(&product->primitive, pd) != 0) return std::nullopt;
  product->keep(product->primitive, f.primitive_destroy);
  const void* packed_desc = f.query_desc(pd, kQueryWeights, 0);
  product->weights = Buffer(f.desc_size(packed_desc));
  const auto memory = [&](const void* desc, void* data) {
    Handle handle = nullptr;
    if (f.memory_create(&handle, desc, f.engine, data) == 0) product->keep(handle, f.memory_destroy);
    return handle;
  };
  // The C interface takes sources through pointers to non-const as well, and only reads them.
  Handle plain_b = memory(&b, const_cast<float*>(p.b)),
         packed_b = memory(packed_desc, product->weights.data());
  product->arguments = {{{kSource, memory(&a, const_cast<float*>(p.a))},
                         {kWeights, packed_b},
                         {kDestination, memory(&c, p.c)}}};
  if (f.reorder_desc(&reorder_pd, &b, f.engine, packed_desc, f.engine, nullptr) != 0) return std::nullopt;
  product->keep(reorder_pd, f.primitive_desc_destroy);
  if (f.primitive_create(&reorder, reorder_pd) != 0) return std::nullopt;
  product->keep(reorder, f.primitive_destroy);
  const std::array<Argument, 2> pack{{{kSource, plain_b}, {kDestination, packed_b}}};
  if (f.execute(reorder, f.stream, 2, pack.data()) != 0) return std::nullopt;
  return RivalRun{"onednn_packed",
                  [functions = functions_, threads] { functions->omp_set_num_threads(threads); },
                  [functions = functions_, product] {
                    functions->execute(product->primitive, functions->stream, 3, product->arguments.data());
                  }};
}

}  // namespace smallmind
