// Finds the process's cgroup folders from /proc/self/cgroup and /proc/self/mountinfo and takes minima up to
// each mount point.
#include "base/cgroup.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <set>

namespace smallmind {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool contains(std::string_view list, std::string_view name) {
  const auto names = split(list, ',');
  return std::find(names.begin(), names.end(), name) != names.end();
}

// One hierarchy that the process is in. controllers is empty for version 2, which carries all of its own.
struct Hierarchy {
  bool v2 = false;
  std::string controllers;
  fs::path mount;   // below root
  fs::path folder;  // mount or a folder in it
};

struct Mount {
  bool v2 = false;
  std::string controllers, cgroup_root, point;
};

// Lines "36 35 98:0 /cgroup/root /mount/point rw - cgroup cgroup rw,cpu,cpuacct"; fields before " - " vary in
// number.
std::vector<Mount> read_mounts(const fs::path& root) {
  std::vector<Mount> mounts;
  const std::string text = read_small_file(root / "proc/self/mountinfo");
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto left = split(line.substr(0, dash), ' '), right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (right[0] != "cgroup" && right[0] != "cgroup2") continue;
    const bool v2 = right[0] == "cgroup2";
    mounts.push_back({v2, v2 ? "" : std::string(right[2]), std::string(left[3]), std::string(left[4])});
  }
  return mounts;
}

// Where the hierarchy is usually mounted, for systems whose mount table we cannot see.
Mount usual_mount(const fs::path& root, bool v2, std::string_view controllers) {
  Mount mount{v2, std::string(controllers), "/", "/sys/fs/cgroup"};
  std::error_code ignored;
  if (!v2)
    mount.point += "/" + std::string(controllers);
  else if (!fs::exists(root / "sys/fs/cgroup/cgroup.controllers", ignored) &&
           fs::exists(root / "sys/fs/cgroup/unified", ignored))
    mount.point += "/unified";
  return mount;
}

// The folder of a cgroup below the mount point. In a container the path may be the host's while only its end
// is mounted (cgroup_root), or lie outside of our namespace ("/.."): then the mount point itself is our
// cgroup.
fs::path folder_of(const fs::path& root, const Mount& mount, std::string_view path) {
  fs::path point = root / mount.point.substr(1);
  std::string_view inside = path;
  if (mount.cgroup_root != "/") {
    if (!inside.starts_with(mount.cgroup_root)) return point;
    inside.remove_prefix(mount.cgroup_root.size());
  }
  if (inside.starts_with("/..")) return point;
  while (inside.starts_with('/')) inside.remove_prefix(1);
  const fs::path folder = inside.empty() ? point : point / inside;
  std::error_code ignored;
  return fs::is_directory(folder, ignored) ? folder : point;
}

// Lines "4:memory:/path" (version 1) and "0::/path" (version 2).
std::vector<Hierarchy> read_hierarchies(const fs::path& root) {
  std::vector<Hierarchy> found;
  const std::vector<Mount> mounts = read_mounts(root);
  const std::string text = read_small_file(root / "proc/self/cgroup");
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    const auto fits = [&](const Mount& m) {
      return m.v2 == v2 && (v2 || contains(m.controllers, split(controllers, ',').front()));
    };
    const auto it = std::find_if(mounts.begin(), mounts.end(), fits);
    const Mount mount = it != mounts.end() ? *it : usual_mount(root, v2, controllers);
    if (mount.point.empty() || mount.point.front() != '/') continue;
    found.push_back({v2, std::string(controllers), root / mount.point.substr(1),
                     folder_of(root, mount, line.substr(second + 1))});
  }
  return found;
}

// Calls visit(folder, v2) for the process's folder of this controller and each ancestor up to the mount
// point.
template <class Visit>
void for_each_ancestor(const std::vector<Hierarchy>& hierarchies, std::string_view controller, Visit visit) {
  for (const Hierarchy& h : hierarchies) {
    if (!h.v2 && !contains(h.controllers, controller)) continue;
    for (fs::path folder = h.folder;; folder = folder.parent_path()) {
      visit(folder, h.v2);
      if (folder == h.mount || !folder.has_relative_path()) break;
    }
  }
}

// v2 "150000 100000" or "max 100000"; v1 two files, -1 for none.
std::optional<double> quota_of(const fs::path& folder, bool v2) {
  std::optional<std::int64_t> quota, period;
  if (v2) {
    const std::string text = read_small_file(folder / "cpu.max");
    const auto parts = split(text, ' ');
    if (parts.size() != 2) return std::nullopt;
    quota = parse_integer(parts[0]);
    period = parse_integer(parts[1]);
  } else {
    quota = parse_integer(read_small_file(folder / "cpu.cfs_quota_us"));
    period = parse_integer(read_small_file(folder / "cpu.cfs_period_us"));
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::vector<int> intersect(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both;
}

int count_physical_cores(const fs::path& root, const std::vector<int>& cpus) {
  std::set<std::string> cores;
  for (const int cpu : cpus) {
    const std::string name = "cpu" + std::to_string(cpu);
    const fs::path topology = root / "sys/devices/system/cpu" / name / "topology";
    std::string siblings = read_small_file(topology / "core_cpus_list");
    if (siblings.empty())
      siblings = read_small_file(topology / "thread_siblings_list");  // its name before Linux 5.3
    cores.insert(siblings.empty() ? name : siblings);
  }
  return static_cast<int>(cores.size());
}

std::string without_root(const fs::path& path, const fs::path& root) {
  return "/" + path.lexically_relative(root).string();
}

// "MemAvailable:   24322020 kB" -> bytes
std::optional<std::int64_t> meminfo(std::string_view text, std::string_view key) {
  for (std::string_view line : split(text, '\n')) {
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    const auto kib = parse_integer(line.substr(0, line.find(' ')));
    if (kib && *kib >= 0 && *kib < std::int64_t{1} << 50) return *kib * 1024;
  }
  return std::nullopt;
}

}  // namespace

std::string read_small_file(const fs::path& path) {
  constexpr std::size_t kMost = 65536;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMost, '\0');
  file.read(text.data(), static_cast<std::streamsize>(kMost));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

std::vector<int> parse_cpu_list(std::string_view text) {
  constexpr std::int64_t kMostCpu = 65535;
  std::set<int> cpus;
  for (const std::string_view range : split(text, ',')) {
    const std::size_t dash = range.find('-');
    const auto first = parse_integer(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_integer(range.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > kMostCpu) return {};
    for (std::int64_t cpu = *first; cpu <= *last; ++cpu) cpus.insert(static_cast<int>(cpu));
  }
  return {cpus.begin(), cpus.end()};
}

std::vector<int> process_affinity() {
  constexpr int kMostCpus = 65536;
  for (int count = 1024; count <= kMostCpus; count *= 2) {  // the kernel refuses a mask smaller than its own
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    std::vector<unsigned long> words(bytes / sizeof(unsigned long));
    auto* set = reinterpret_cast<cpu_set_t*>(words.data());
    if (sched_getaffinity(0, bytes, set) != 0) {
      if (errno == EINVAL) continue;
      break;
    }
    std::vector<int> cpus;
    for (int cpu = 0; cpu < count; ++cpu)
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set)) cpus.push_back(cpu);
    if (!cpus.empty()) return cpus;
    break;
  }
  return {0};
}

ThreadLimits thread_limits(const fs::path& root, const std::optional<std::vector<int>>& affinity) {
  ThreadLimits limits;
  std::vector<int> cpus = affinity ? *affinity : process_affinity();
  std::sort(cpus.begin(), cpus.end());
  limits.affinity_cpus = static_cast<int>(cpus.size());

  const auto hierarchies = read_hierarchies(root);
  for_each_ancestor(hierarchies, "cpuset", [&](const fs::path& folder, bool v2) {
    std::vector<int> allowed =
        parse_cpu_list(read_small_file(folder / (v2 ? "cpuset.cpus.effective" : "cpuset.cpus")));
    const std::vector<int> both = intersect(cpus, allowed);
    if (!both.empty()) cpus = both;  // an empty set is an unset file, or a mask changed while we read
  });
  limits.cpuset_cpus = static_cast<int>(cpus.size());
  limits.physical_cores = count_physical_cores(root, cpus);

  for_each_ancestor(hierarchies, "cpu", [&](const fs::path& folder, bool v2) {
    const auto quota = quota_of(folder, v2);
    if (!quota || (limits.quota_cores != 0 && *quota >= limits.quota_cores)) return;
    limits.quota_cores = *quota;
    limits.quota_source = without_root(folder / (v2 ? "cpu.max" : "cpu.cfs_quota_us"), root);
  });

  limits.threads = std::max(1, limits.physical_cores);
  if (limits.quota_cores != 0 && limits.quota_cores < limits.threads)
    limits.threads = std::max(1, static_cast<int>(limits.quota_cores));
  return limits;
}

int available_threads(const fs::path& root, const std::optional<std::vector<int>>& affinity) {
  return thread_limits(root, affinity).threads;
}

std::optional<std::int64_t> MemoryLimits::usable() const {
  std::optional<std::int64_t> least;
  for (const auto& limit : {cgroup, address_space, available})
    if (limit && (!least || *limit < *least)) least = limit;
  return least;
}

MemoryLimits memory_limits(const fs::path& root, const std::optional<std::int64_t>& address_space) {
  constexpr std::int64_t kNoLimit = std::int64_t{1}
                                    << 60;  // v1 writes its largest page-aligned number for "none"
  MemoryLimits limits;
  for_each_ancestor(read_hierarchies(root), "memory", [&](const fs::path& folder, bool v2) {
    const fs::path file = folder / (v2 ? "memory.max" : "memory.limit_in_bytes");
    const auto bytes = parse_integer(read_small_file(file));
    if (!bytes || *bytes < 0 || *bytes >= kNoLimit || (limits.cgroup && *bytes >= *limits.cgroup)) return;
    limits.cgroup = bytes;
    limits.cgroup_source = without_root(file, root);
  });
  rlimit as{};
  if (address_space)
    limits.address_space = address_space;
  else if (getrlimit(RLIMIT_AS, &as) == 0 && as.rlim_cur != RLIM_INFINITY &&
           as.rlim_cur < std::uint64_t{kNoLimit})
    limits.address_space = static_cast<std::int64_t>(as.rlim_cur);
  const std::string text = read_small_file(root / "proc/meminfo");
  limits.available = meminfo(text, "MemAvailable:");
  limits.total = meminfo(text, "MemTotal:");
  return limits;
}

}  // namespace smallmind
