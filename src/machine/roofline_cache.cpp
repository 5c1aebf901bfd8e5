// The roofline's cache: one small JSON file per machine, cgroup, thread count and kernel table.
//
//   roofline-<FNV-1a of the key>.json  {"key": ..., "fma": [[threads, GFLOP/s]...],
//                                       "bandwidth": [[level, threads, footprint, read, copy, update,
//                                       add]...]}
//
// The whole key is compared, not its hash; a file that is broken, foreign or out of range is as good as none.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/cgroup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "kernels/dispatch.h"
#include "machine/roofline.h"

namespace smallmind {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;  // a change of what is measured, or how, makes former files foreign

std::filesystem::path file_of(const std::filesystem::path& directory, const std::string& key) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return directory / fmt::format("roofline-{:016x}.json", hash);
}

// A rate that a machine may have, in G per second.
double rate(const json& value) {
  const double number = value.get<double>();
  if (!(number > 0.001 && number < 1e7)) fail_input("[roofline] a rate expected, {} found", number);
  return number;
}

Roofline from_json(const json& document) {
  Roofline roofline;
  for (const json& row : document.at("fma"))
    roofline.compute.push_back({row.at(0).get<int>(), rate(row.at(1))});
  for (const json& row : document.at("bandwidth")) {
    const int level = row.at(0).get<int>();
    if (level < 0 || level > 2) fail_input("[roofline] a level of 0 to 2 expected, {} found", level);
    roofline.bandwidths.push_back({static_cast<MemoryLevel>(level), row.at(1).get<int>(),
                                   row.at(2).get<std::int64_t>(), rate(row.at(3)), rate(row.at(4)),
                                   rate(row.at(5)), rate(row.at(6))});
  }
  if (roofline.compute.empty() || roofline.bandwidths.empty())
    fail_input("[roofline] rates expected, none found");
  return roofline;
}

}  // namespace

std::string roofline_key(int threads, const std::string& isa) {
  const CacheSizes caches = cache_sizes();
  const ThreadLimits limits = thread_limits();
  return fmt::format(
      "format {}, {}, L1 {} L2 {} L3 {}/{}, {} CPUs, {} cores, quota {:.3f} {}, memory {}, {} threads, {}",
      kFormat, cpu_model(), caches.l1d, caches.l2, caches.l3, caches.l3_cpus, limits.cpuset_cpus,
      limits.physical_cores, limits.quota_cores, limits.quota_source, memory_limits().cgroup.value_or(0),
      threads, isa);
}

std::optional<Roofline> load_roofline(const std::filesystem::path& directory, const std::string& key) {
  const std::string file = file_of(directory, key).string();
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::nullopt;
  try {
    const json document = read_json_file(file, {.bytes = 1 << 16, .depth = 8});
    if (json_string(document, "key", file) != key) return std::nullopt;
    return from_json(document);
  } catch (const std::exception& e) {  // ours, or nlohmann's for a value of another type
    log_debug("the cached roofline is ignored: {}", e.what());
    return std::nullopt;
  }
}

void save_roofline(const std::filesystem::path& directory, const std::string& key, const Roofline& roofline) {
  json fma = json::array(), bandwidth = json::array();
  for (const ComputeRoof& roof : roofline.compute) fma.push_back({roof.threads, roof.gflops});
  for (const BandwidthRoof& roof : roofline.bandwidths)
    bandwidth.push_back({static_cast<int>(roof.level), roof.threads, roof.footprint, roof.read, roof.copy,
                         roof.update, roof.add});
  const json document = {{"key", key}, {"fma", fma}, {"bandwidth", bandwidth}};
  try {
    std::filesystem::create_directories(directory);
    write_file_atomically(file_of(directory, key), json_text(document) + "\n");
  } catch (const std::exception& e) {
    log_debug("the roofline is not cached: {}", e.what());
  }
}

void forget_roofline(const std::filesystem::path& directory, const std::string& key) noexcept {
  std::error_code ignored;
  std::filesystem::remove(file_of(directory, key), ignored);
}

std::optional<std::filesystem::path> cache_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value != nullptr ? value : "");
  };
  // The XDG base directory specification: a relative path is to be ignored.
  if (const auto cache = variable("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "smallmind";
  if (const auto home = variable("HOME"); home.is_absolute()) return home / ".cache" / "smallmind";
  return std::nullopt;
}

Roofline machine_roofline(int threads, bool fresh) {
  const KernelTable& table = kernels();
  const std::string key = roofline_key(threads, table.isa);
  const auto directory = cache_directory();
  std::optional<Roofline> cached;
  if (directory && !fresh) cached = load_roofline(*directory, key);
  if (cached) {
    cached->isa = table.isa;
    cached->threads = threads;
    cached->caches = cache_sizes();
    return *std::move(cached);
  }
  ThreadPool pool(threads);
  Roofline roofline = measure_roofline(pool, table, cache_sizes());
  if (directory && !roofline.disturbed) save_roofline(*directory, key, roofline);
  return roofline;
}

}  // namespace smallmind
