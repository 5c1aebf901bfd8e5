// Where token files of training data are kept between runs.
#pragma once

#include <filesystem>

namespace smallmind {

// The user's cache of token files, made if need be; empty where there is none to write to.
std::filesystem::path token_cache();

}  // namespace smallmind
