// Any bytes as config.json; an accepted config can be written and read back as the same.
#include <string_view>

#include "fuzz/target.h"
#include "io/hf_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smallmind;
  return fuzz::run(data, size, [](std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const ModelConfig config = parse_hf_config(text, "fuzz");
    fuzz::require(parse_hf_config(hf_config_json(config), "again") == config);
  });
}
