// See token_cache.h.
#include "cli/token_cache.h"

#include <unistd.h>

#include "machine/roofline.h"

namespace smallmind {

namespace fs = std::filesystem;

fs::path token_cache() {
  const auto cache = cache_directory();
  if (!cache) return {};
  std::error_code error;
  fs::create_directories(*cache / "tokens", error);
  return !error && access((*cache / "tokens").c_str(), W_OK) == 0 ? *cache / "tokens" : fs::path();
}

}  // namespace smallmind
