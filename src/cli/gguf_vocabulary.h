// A tokenizer in the form that llama.cpp reads from a GGUF file.
#pragma once

#include "io/gguf_model.h"
#include "text/tokenizer.h"

namespace smallmind {

// A char tokenizer becomes byte-level BPE whose only merges join the bytes of its characters. Throws
// bad_input for a pre-tokenizer that llama.cpp has no name for.
GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer);

}  // namespace smallmind
