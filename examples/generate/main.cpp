// Loads a model and streams a text: generate MODEL_DIRECTORY PROMPT [TOKENS]
#include <smallmind/language_model.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: generate MODEL_DIRECTORY PROMPT [TOKENS]\n";
    return 1;
  }
  try {
    smallmind::LanguageModel model = smallmind::LanguageModel::load(argv[1]);
    smallmind::GenerationOptions options;
    options.max_tokens = argc > 3 ? std::atoi(argv[3]) : 100;
    options.temperature = 0.8f;
    options.seed = 1;
    std::cout << argv[2];
    const auto result = model.generate(argv[2], options, [](std::string_view text) {
      std::cout << text << std::flush;
      return true;  // false would end the text here
    });
    std::cout << "\n";
    std::cerr << result.generated_tokens << " tokens, finished by " << result.finish_reason << "\n";
  } catch (const smallmind::Error& error) {
    std::cerr << error.what() << "\n";
    return static_cast<int>(error.code());
  }
}
