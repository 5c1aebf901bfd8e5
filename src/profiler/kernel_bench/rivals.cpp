// OpenBLAS and the choice of libraries; see rivals.h. oneDNN is in onednn.cpp.
//
// CBLAS is declared here rather than included: the library needs no header of a rival to be built.
#include "profiler/kernel_bench/rivals.h"

#include <dlfcn.h>

#include <cstdlib>

#include "base/cpu.h"
#include "profiler/kernel_bench/onednn.h"

namespace smallmind {

struct RivalLibraries::Blas {
  using Sgemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                         const float* a, int lda, const float* b, int ldb, float beta, float* c, int ldc);
  std::string name;
  Sgemm sgemm;
  void (*set_threads)(int);
  const char* (*config)();
};

struct RivalLibraries::OneDnn {
  OneDnnLibrary library;
};

namespace {

constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;

struct BlasBuild {
  const char* name;
  const char* file;  // Debian keeps both builds under one soname in folders of their own
};
constexpr BlasBuild kBlasBuilds[] = {
    {"openblas_pthread", "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0"},
    {"openblas_openmp", "/usr/lib/x86_64-linux-gnu/openblas-openmp/libopenblas.so.0"},
};

template <class F>
bool find(void* library, const char* symbol, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, symbol));
  return function != nullptr;
}

int narrow(Index x) {
  return static_cast<int>(x);
}

}  // namespace

// Libraries stay open: their threads live as long as the program.
RivalLibraries::RivalLibraries(bool enabled) {
  if (!enabled) {
    for (const BlasBuild& build : kBlasBuilds) status_.emplace_back(build.name, "skipped: not asked for");
    status_.emplace_back("onednn", "skipped: not asked for");
    return;
  }
  if (cpu_features().avx512f) {
    ::setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
    ::unsetenv("OPENBLAS_L2_SIZE");
  }
  for (const BlasBuild& build : kBlasBuilds) {
    Blas blas{build.name, nullptr, nullptr, nullptr};
    void* library = ::dlopen(build.file, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr || !find(library, "cblas_sgemm", blas.sgemm) ||
        !find(library, "openblas_set_num_threads", blas.set_threads) ||
        !find(library, "openblas_get_config", blas.config)) {
      status_.emplace_back(build.name, "skipped: not installed");
      continue;
    }
    status_.emplace_back(build.name, blas.config());
    blas_.push_back(std::move(blas));
  }
  if (std::optional<OneDnnLibrary> library = OneDnnLibrary::open()) {
    status_.emplace_back("onednn", library->version());
    onednn_ = std::make_shared<const OneDnn>(OneDnn{*library});
  } else {
    status_.emplace_back("onednn", "skipped: not installed");
  }
}

RivalLibraries::~RivalLibraries() = default;

std::vector<RivalRun> RivalLibraries::plain(const RivalProduct& p, int threads) const {
  std::vector<RivalRun> runs;
  for (const Blas& blas : blas_) {
    if (threads == 1 && !runs.empty()) break;  // with one thread the builds do not differ
    runs.push_back(
        {threads == 1 ? "openblas" : blas.name, [set = blas.set_threads, threads] { set(threads); },
         [sgemm = blas.sgemm, p] {
           sgemm(kRowMajor, p.a_transposed ? kTrans : kNoTrans, p.b_transposed ? kTrans : kNoTrans,
                 narrow(p.m), narrow(p.n), narrow(p.k), 1.0f, p.a, narrow(p.a_transposed ? p.m : p.k), p.b,
                 narrow(p.b_transposed ? p.k : p.n), p.accumulate ? 1.0f : 0.0f, p.c, narrow(p.n));
         }});
  }
  if (onednn_ != nullptr) runs.push_back(onednn_->library.plain(p, threads));
  return runs;
}

std::vector<RivalRun> RivalLibraries::packed(const RivalProduct& p, int threads) const {
  std::vector<RivalRun> runs;
  if (onednn_ == nullptr) return runs;
  if (std::optional<RivalRun> run = onednn_->library.packed(p, threads)) runs.push_back(std::move(*run));
  return runs;
}

}  // namespace smallmind
