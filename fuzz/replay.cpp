// Runs a fuzz target without libFuzzer: on every file of the corpus, and on seeded mutations of them.
//
//   fuzz_gguf CORPUS_DIRECTORY MUTATIONS_PER_FILE [SEED]
//
// A mutation changes, inserts, removes, repeats or splices some bytes, or writes a number that parsers trip
// over. The same seed gives the same inputs. When one of them crashes, its bytes are written to fuzz-crash in
// the working directory.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/target.h"

namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
  return static_cast<std::size_t>(random() % limit);
}

void put_number(std::string& bytes, Random& random) {
  constexpr std::uint64_t kNumbers[] = {0,
                                        1,
                                        0x7f,
                                        0x80,
                                        0xff,
                                        0xffff,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        0x100000000,
                                        0x7fffffffffffffff,
                                        0x8000000000000000,
                                        0xffffffffffffffff};
  const std::uint64_t number = kNumbers[below(random, std::size(kNumbers))];
  const std::size_t width = std::size_t{1} << below(random, 4);
  if (bytes.size() >= width)
    std::memcpy(bytes.data() + below(random, bytes.size() - width + 1), &number, width);
}

void mutate(std::string& bytes, const std::string& other, Random& random) {
  if (bytes.empty()) bytes = "x";
  const std::size_t at = below(random, bytes.size());
  const std::size_t length = std::min(bytes.size() - at, 1 + below(random, 16));
  switch (below(random, 7)) {
    case 0:
      bytes[at] = static_cast<char>(random());
      break;
    case 1:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8)));
      break;
    case 2:
      bytes.erase(at, length);
      break;
    case 3:
      bytes.insert(at, bytes.substr(at, length));
      break;
    case 4:
      bytes.resize(at);
      break;
    case 5:
      put_number(bytes, random);
      break;
    case 6:
      if (!other.empty()) bytes.insert(at, other.substr(below(random, other.size()), length));
      break;
  }
}

// For the signal handler, which may call nothing but the system.
const char* current_bytes = nullptr;
std::size_t current_size = 0;

void save_input(int number) {
  const int file = open("fuzz-crash", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && write(file, current_bytes, current_size) < 0) std::perror("fuzz-crash");
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run_input(const std::string& bytes) {
  current_bytes = bytes.data();
  current_size = bytes.size();
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  std::vector<std::string> corpus;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  if (corpus.empty()) return 2;
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) std::signal(number, save_input);
  Random random(argc > 3 ? std::stoull(argv[3]) : 1);
  const int mutations = std::atoi(argv[2]);
  for (const std::string& seed : corpus) {
    run_input(seed);
    for (int i = 0; i < mutations; ++i) {
      std::string bytes = seed;
      for (std::size_t n = 1 + below(random, 4); n > 0; --n)
        mutate(bytes, corpus[below(random, corpus.size())], random);
      run_input(bytes);
    }
  }
  std::printf("%zu files, %d mutations of each: no finding\n", corpus.size(), mutations);
}
