// Every format's documents, and hostile or broken files.
#include "train/documents.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "tests/base/temp_folder.h"

namespace smallmind {
namespace {

class Documents : public testing::Test {
 protected:
  std::vector<std::string> read(const std::filesystem::path& path, const std::string& field = "") const {
    std::vector<std::string> documents;
    std::string current;
    read_documents(find_sources(path), field,
                   {[&](std::string_view piece) { current += piece; },
                    [&] {
                      documents.push_back(current);
                      current.clear();
                    }});
    return documents;
  }
  std::vector<std::string> read_text(const std::string& name, const std::string& text,
                                     const std::string& field = "") {
    return read(folder.write(name, text), field);
  }
  std::string failure(const std::string& name, const std::string& text, const std::string& field = "") {
    try {
      read_text(name, text, field);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::bad_input);
      return e.what();
    }
    return "";
  }
  using Texts = std::vector<std::string>;
  TempFolder folder;
};

TEST_F(Documents, TextIsOneDocument) {
  EXPECT_EQ(read_text("a.txt", "one\ntwo\n"), Texts{"one\ntwo\n"});
  EXPECT_EQ(read_text("noending", "x"), Texts{"x"});
  EXPECT_EQ(read_text("empty.txt", ""), Texts{});
}

TEST_F(Documents, LongTextComesInPiecesCutBehindLoneLineEnds) {
  std::string text;
  for (int i = 0; text.size() < (std::size_t{5} << 20); ++i)
    text += (i % 3 == 0 ? "line \n\nnext\n" : "word after word\n  indented ") + std::to_string(i);
  const auto path = folder.write("long.txt", text);
  std::vector<std::string> pieces;
  int documents = 0;
  read_documents(find_sources(path), "",
                 {[&](std::string_view piece) { pieces.emplace_back(piece); }, [&] { ++documents; }});
  EXPECT_EQ(documents, 1);
  EXPECT_GE(pieces.size(), 4u);
  std::string joined;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    joined += pieces[i];
    if (i + 1 == pieces.size()) break;
    EXPECT_EQ(pieces[i].back(), '\n');
    EXPECT_FALSE(std::isspace(pieces[i][pieces[i].size() - 2]));
    EXPECT_FALSE(std::isspace(pieces[i + 1].front()));
  }
  EXPECT_EQ(joined, text);
}

TEST_F(Documents, TextWithoutLineEndsIsCutBetweenCharacters) {
  std::string text = "x";
  for (int i = 0; i < 6'000'000; ++i) text += "\xC3\xA9\xE2\x82\xAC";  // 2 and 3 bytes, 30 MB
  std::vector<std::string> pieces;
  read_documents(find_sources(folder.write("line.txt", text)), "",
                 {[&](std::string_view piece) { pieces.emplace_back(piece); }, [] {}});
  EXPECT_GE(pieces.size(), 2u);
  std::string joined;
  for (const std::string& piece : pieces) {
    EXPECT_NE(piece.front() & 0xC0, 0x80);
    joined += piece;
  }
  EXPECT_TRUE(joined == text);
}

TEST_F(Documents, JsonAndJsonl) {
  EXPECT_EQ(read_text("a.json", R"(["x", {"text": "y"}, {"text": "", "id": 1}])"), (Texts{"x", "y"}));
  EXPECT_EQ(read_text("b.json", R"({"body": "\u00e9"})", "body"), Texts{"\xC3\xA9"});
  EXPECT_EQ(read_text("c.jsonl", "{\"text\": \"a\\nb\"}\r\n\n\"c\"\n{\"text\":\"d\"}"),
            (Texts{"a\nb", "c", "d"}));
  EXPECT_NE(failure("d.jsonl", "\"a\"\n{\"txt\": \"b\"}\n").find("line 2"), std::string::npos);
  EXPECT_NE(failure("e.json", "[1]"), "");
  EXPECT_NE(failure("f.json", "[\"a\""), "");
  EXPECT_NE(failure("g.jsonl", "{\"text\": " + std::string(100'000, '[') + "}"), "");
}

TEST_F(Documents, Csv) {
  EXPECT_EQ(read_text("a.csv", "id,text\n1,plain\n2,\"with, \"\"quotes\"\"\nand lines\"\r\n\n3,last"),
            (Texts{"plain", "with, \"quotes\"\nand lines", "last"}));
  EXPECT_EQ(read_text("b.csv", "\xEF\xBB\xBFtext\r\na\r\nb\r\n"), (Texts{"a", "b"}));
  EXPECT_EQ(read_text("c.tsv", "say\tid\nhello, you\t1\n", "say"), Texts{"hello, you"});
  EXPECT_NE(failure("d.csv", "id,body\n1,x\n").find("id, body"), std::string::npos);
  EXPECT_NE(failure("e.csv", "id,text\n1\n").find("line"), std::string::npos);
  EXPECT_NE(failure("f.csv", "text\n\"open\n"), "");
  EXPECT_NE(failure("g.csv", "text\n\"a\"b\n"), "");
  EXPECT_NE(failure("h.csv", ""), "");
}

TEST_F(Documents, Xml) {
  const std::string xml =
      "<?xml version=\"1.0\"?><r><t>a &amp; b&#233;</t> <u>no</u><t><i>c</i><![CDATA[<d>]]></t></r>";
  EXPECT_EQ(read_text("a.xml", xml, "t"), (Texts{"a & b\xC3\xA9", "c<d>"}));
  EXPECT_EQ(read_text("a.xml", xml), Texts{"a & b\xC3\xA9 noc<d>"});
  EXPECT_NE(failure("b.xml", "<a><b></a>").find("line 1"), std::string::npos);
  EXPECT_NE(failure("c.xml", "<a>"), "");
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_NE(failure("d.xml", deep).find("nested"), std::string::npos);
}

TEST_F(Documents, XmlEntitiesNeitherExplodeNorFetch) {
  std::string bomb = "<!DOCTYPE r [<!ENTITY a0 \"0123456789\">";
  for (int i = 1; i <= 9; ++i) {
    bomb += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int j = 0; j < 10; ++j) bomb += "&a" + std::to_string(i - 1) + ";";
    bomb += "\">";
  }
  EXPECT_NE(failure("bomb.xml", bomb + "]><r>&a9;</r>"), "");
  const auto secret = folder.write("secret", "secret");
  const std::string external =
      "<!DOCTYPE r [<!ENTITY e SYSTEM \"file://" + secret.string() + "\">]><r>x&e;</r>";
  EXPECT_EQ(read_text("external.xml", external), Texts{"x"});
}

TEST_F(Documents, DirectoriesAreReadInOrder) {
  folder.write("d/b.txt", "2");
  folder.write("d/a/z.TXT", "1");
  folder.write("d/c.jsonl", "\"3\"\n\"4\"\n");
  folder.write("d/.hidden/x.txt", "no");
  folder.write("d/.x.txt", "no");
  folder.write("d/image.png", "no");
  EXPECT_EQ(read(folder.path() / "d"), (Texts{"1", "2", "3", "4"}));
}

TEST_F(Documents, WhatIsNotThereIsAnError) {
  EXPECT_THROW(find_sources(folder.path() / "absent"), Error);
  EXPECT_THROW(find_sources("/dev/zero"), Error);
  std::filesystem::create_directory(folder.path() / "empty");
  EXPECT_THROW(find_sources(folder.path() / "empty"), Error);
}

TEST_F(Documents, AFileThatChangesMeanwhileIsAnError) {
  const auto path = folder.write("a.txt", std::string(3 << 20, 'a') + "\nb");
  const auto sources = find_sources(path);
  const DocumentSink sink{[&](std::string_view) { folder.write("a.txt", "short"); }, [] {}};
  EXPECT_THROW(read_documents(sources, "", sink), Error);
}

}  // namespace
}  // namespace smallmind
