// Streams: whole characters only, stop strings across any cut, and no heap allocation per token. This file
// replaces the allocation functions of the test program to count calls.
#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "base/error.h"
#include "tests/text/text_fixtures.h"
#include "text/stop_matcher.h"
#include "text/utf8.h"

namespace {
thread_local size_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace smallmind {
namespace {

std::string valid(std::string_view bytes) {
  std::string out;
  append_valid_utf8(out, bytes);
  return out;
}

TEST(Utf8Test, replaces_each_maximal_subpart_once) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(valid("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(valid("\x80"), r);
  EXPECT_EQ(valid("\xC0\xAF"), r + r);
  EXPECT_EQ(valid("\xE0\x80\xAF"), r + r + r);
  EXPECT_EQ(valid("\xED\xA0\x80"), r + r + r);
  EXPECT_EQ(valid("\xF4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(valid("\xE2\x82x"), r + "x");
  EXPECT_EQ(valid("\xF0\x9F\x98"), r);
  EXPECT_EQ(valid("\xF0\x9F\x98\xF0\x9F\x98\x80"), r + "\xF0\x9F\x98\x80");
}

TEST(Utf8Test, encodes_what_it_decodes) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string bytes;
    append_utf8(bytes, code);
    const Utf8Char c = decode_utf8(bytes, 0);
    ASSERT_TRUE(c.status == Utf8Status::valid && c.code == code && c.length == bytes.size())
        << static_cast<uint32_t>(code);
    for (size_t n = 1; n < bytes.size(); ++n) {
      ASSERT_EQ(decode_utf8(bytes.substr(0, n), 0).status, Utf8Status::truncated)
          << static_cast<uint32_t>(code);
    }
  }
}

TEST(StreamDecoderTest, emits_whole_characters_only) {
  const auto bpe = test::small_bpe(kGpt2Pattern);
  StreamDecoder decoder(*bpe);
  const auto ids = bpe->encode("\xF0\x9F\x98\x80");  // four tokens of one byte
  ASSERT_EQ(ids.size(), 4u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(decoder.push(ids[i]), "");
  EXPECT_EQ(decoder.push(ids[3]), "\xF0\x9F\x98\x80");
  EXPECT_EQ(decoder.finish(), "");
  decoder.push(ids[0]);
  EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
  decoder.push(ids[0]);
  EXPECT_EQ(decoder.push(bpe->encode("x")[0]), "\xEF\xBF\xBDx");
}

TEST(StreamDecoderTest, pieces_make_the_valid_form_of_the_bytes) {
  const auto bpe = test::small_bpe(kGpt2Pattern);
  StreamDecoder decoder(*bpe);
  std::mt19937 random(5);
  const std::string_view alphabet("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xF4\x90\xFF the", 20);
  for (int round = 0; round < 3000; ++round) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < 12; ++i) {
      const auto some = bpe->encode(test::random_bytes(random, 1 + random() % 3, alphabet));
      ids.insert(ids.end(), some.begin(), some.end());
    }
    std::string streamed;
    for (const int32_t id : ids) {
      const std::string_view piece = decoder.push(id);
      ASSERT_EQ(valid_utf8_prefix(piece), piece.size());
      streamed += piece;
    }
    streamed += decoder.finish();
    ASSERT_EQ(streamed, valid(bpe->decode(ids)));
  }
}

TEST(StreamDecoderTest, hides_control_tokens_unless_told) {
  const auto bpe = test::small_bpe(kGpt2Pattern);
  StreamDecoder hiding(*bpe);
  StreamDecoder showing(*bpe, true);
  EXPECT_EQ(hiding.push(bpe->eos_id().value()), "");
  EXPECT_EQ(showing.push(bpe->eos_id().value()), kEndOfText);
  EXPECT_THROW(hiding.push(-1), Error);
  EXPECT_THROW(hiding.push(bpe->vocab_size()), Error);
}

TEST(StopMatcherTest, finds_stops_however_the_text_is_cut) {
  std::mt19937 random(7);
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::string> stops(1 + random() % 3);
    for (auto& stop : stops) stop = test::random_bytes(random, 1 + random() % 5, "ab");
    const std::string text = test::random_bytes(random, random() % 40, "abc");

    std::string expected = text;
    bool expect_stop = false;
    for (size_t end = 1; end <= text.size() && !expect_stop; ++end) {
      for (const auto& stop : stops) {
        if (!std::string_view(text).substr(0, end).ends_with(stop)) continue;
        if (!expect_stop || end - stop.size() < expected.size()) expected = text.substr(0, end - stop.size());
        expect_stop = true;
      }
    }
    StopMatcher matcher(stops);
    std::string shown;
    for (size_t pos = 0; pos < text.size();) {
      const size_t n = std::min<size_t>(1 + random() % 4, text.size() - pos);
      shown += matcher.push(std::string_view(text).substr(pos, n));
      ASSERT_TRUE(expected.starts_with(shown)) << text;
      pos += n;
    }
    ASSERT_EQ(matcher.stopped(), expect_stop) << text;
    shown += matcher.finish();
    ASSERT_EQ(shown, expected) << text;
    ASSERT_FALSE(matcher.stopped());
  }
}

TEST(StopMatcherTest, holds_back_no_more_than_it_must) {
  StopMatcher matcher({"</end>"});
  EXPECT_EQ(matcher.push("abc<"), "abc");
  EXPECT_EQ(matcher.push("/e"), "");
  EXPECT_EQ(matcher.push("x"), "</ex");
  EXPECT_EQ(matcher.push("y</en"), "y");
  EXPECT_EQ(matcher.finish(), "</en");
  EXPECT_EQ(StopMatcher({}).push("all"), "all");
  EXPECT_THROW(StopMatcher({""}), Error);
}

TEST(StreamTest, allocates_nothing_per_token) {
  const auto bpe = test::small_bpe(kGpt2Pattern);
  std::mt19937 random(11);
  std::vector<int32_t> ids(10'000);
  for (auto& id : ids) id = static_cast<int32_t>(random() % static_cast<uint32_t>(bpe->vocab_size()));
  StreamDecoder decoder(*bpe);
  StopMatcher matcher({"never to be found", std::string(500, 'x')});
  const size_t before = allocations;
  size_t bytes = 0;
  for (const int32_t id : ids) bytes += matcher.push(decoder.push(id)).size();
  EXPECT_EQ(allocations, before);
  bytes += matcher.push(decoder.finish()).size() + matcher.finish().size();
  EXPECT_EQ(bytes, valid(bpe->decode(ids)).size());
}

}  // namespace
}  // namespace smallmind
