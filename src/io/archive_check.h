// Recognises the model files that must not be opened: pickles, and zip archives that also look like something
// else.
//
// A pickle is a program that its reader runs. PyTorch's .bin, .pt, .pth and .ckpt files are pickles, bare or
// inside a zip archive. A zip reader starts from the end of a file, a safetensors reader from its start, so
// that one file can be both and mean two different things to two programs; such a file is refused as well.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace smallmind {

// Throws bad_input, with advice, if the bytes are a pickle or (also) a zip archive.
void refuse_pickle_and_zip(std::span<const std::byte> file, std::string_view where);

// Throws bad_input, with advice, if the name ends as PyTorch's pickles do.
void refuse_pickle_name(std::string_view where);

}  // namespace smallmind
