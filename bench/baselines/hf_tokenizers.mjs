// What Hugging Face's tokenizers say of our tokenizer.json: trains tokenizers with the program, reads their files with npm's
// `tokenizers` (their Rust library), and compares the ids of seeded random strings, and the text that ids give back.
//
//   node hf_tokenizers.mjs PROGRAM [--count 1000] [--seed 1] [--tokenizer tokenizer.json ...]
//
// Without --tokenizer: byte-level BPE with GPT-2's pattern, with Llama 3's, and the char tokenizer (whose strings hold only
// characters of its corpus: theirs drops others, ours refuses them). Exit status 1 at a difference; 77, with a line on stderr,
// where the package is not installed: npm install
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    tokenizer: { type: "string", multiple: true },
  },
});
if (positionals.length !== 1) {
  console.error("usage: node hf_tokenizers.mjs PROGRAM [--count 1000] [--seed 1] [--tokenizer FILE ...]");
  process.exit(2);
}
const program = positionals[0];

let Tokenizer;
try {
  ({ Tokenizer } = (await import("tokenizers")).default);
} catch (error) {
  console.error(`skipped: npm's tokenizers cannot be loaded (${error.message.split("\n")[0]})`);
  process.exit(77);
}

// Mulberry32: 32 bits of state, the same strings everywhere.
let state = Number(values.seed) >>> 0;
function random(n) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = (list) => list[random(list.length)];
const repeat = (n, make) => Array.from({ length: n }, make).join("");
const between = (low, high) => String.fromCodePoint(low + random(high - low + 1));

const words = ("the of and to in that is was he for it with as his on be at by had not are but from or have an they " +
  "which one you were her all she there would their we him been has when who will more no if out so said what up its " +
  "ROMEO Juliet I'm you're they'll we've he'd it's don't CAN'T O'Neil 's 'LL").split(" ");
const code = ["for (int i = 0; i < n; ++i) {\n", "  return x->y[i];\n", "}\n", "#include <a.h>\r\n", "def f(x):\n\t", "0x1F_ff",
  "a==b&&c!=d", "// note\n", "/* */", "std::vector<int>", "\"\\n\\t\"", "<|endof", "|>", "@#$%^&*()_+", "://"];
const spaces = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\u0085", "\u00a0", "\u1680", "\u2003", "\u200a",
  "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u180e", "\u200b", "\ufeff"];
const emoji = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "❤️", "☃", "🦙"];
// Letters since Unicode 15 (CJK extensions H and I): the regex engines of both sides know different versions of Unicode.
const isNew = (c) => /[\u{31350}-\u{323af}\u{2ebf0}-\u{2ee5d}]/u.test(c);
const generators = {
  ascii: () => repeat(random(40), () => between(0x20, 0x7e)),
  controls: () => repeat(random(20), () => between(0, 0x9f)),
  words: () => repeat(random(15), () => pick(words) + pick([" ", " ", " ", ", ", ". ", "\n", "  "])),
  whitespace: () => repeat(random(12), () => pick(spaces) + (random(3) === 0 ? pick(words) : "")),
  digits: () => repeat(random(12), () => pick(["0", "12", "345", "6789", ".", ",", " ", "-", "٣", "४", "Ⅷ", "½", "²", "1e9"])),
  latin: () => repeat(random(30), () => between(0xa0, 0x24f)),
  greek_cyrillic: () => repeat(random(30), () => (random(6) === 0 ? " " : between(0x370, 0x4ff))),
  right_to_left: () => repeat(random(30), () => (random(6) === 0 ? " " : between(0x5d0, 0x64a))),
  indic_thai: () => repeat(random(30), () => pick([between(0x905, 0x94d), between(0xe01, 0xe3a), " "])),
  cjk: () => repeat(random(30), () => pick([between(0x4e00, 0x9fa5), between(0x3041, 0x30fe), between(0xac00, 0xd7a3), "，", "。"])),
  combining: () => repeat(random(20), () => pick(["e", "a", "n", "o", "Å", "é"]) + repeat(random(4), () => between(0x300, 0x36f))),
  emoji: () => repeat(random(12), () => pick(emoji) + pick(["", " ", "x"])),
  code: () => repeat(random(10), () => pick(code)),
  any: () => repeat(random(25), () => {
    const c = String.fromCodePoint(random(0x110000));
    return /[\p{Cs}\p{Cn}]/u.test(c) || isNew(c) ? "\ufffd" : c;
  }),
  runs: () => pick(["a", " ", "\n", "=", "é", "😀", "1", "ab", " a"]).repeat(random(300)),
};
const kinds = Object.keys(generators);

const folder = mkdtempSync(join(tmpdir(), "smallmind-tokenizers-"));
const run = (args, input) =>
  execFileSync(program, ["tokenize", ...args], { input, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "inherit"] });

function trained() {
  const corpus = join(folder, "corpus.txt");
  writeFileSync(corpus, repeat(20000, () => generators[pick(["words", "words", "words", ...kinds.filter((k) => k !== "any")])]() + "\n"));
  return [["gpt2", "--vocab", "2000"], ["llama3", "--vocab", "2000", "--pattern", "llama3"], ["char", "--tokenizer", "char"]].map(
    ([name, ...options]) => {
      const file = join(folder, `${name}.json`);
      run(["train", corpus, "--out", file, "--quiet", ...options]);
      return file;
    });
}

const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

// Returns the number of strings that differ.
async function compare(file) {
  const description = JSON.parse(readFileSync(file, "utf8"));
  const isChar = description.pre_tokenizer === null && description.model.merges.length === 0;
  const known = (c) => Object.hasOwn(description.model.vocab, c);
  const theirs = Tokenizer.fromFile(file);
  const strings = Array.from({ length: Number(values.count) }, (_, i) => {
    const text = generators[kinds[i % kinds.length]]();
    return isChar ? [...text].filter(known).join("") : text;
  });
  const ours = run([file, "--jsonl"], strings.map((s) => JSON.stringify(s) + "\n").join("")).trimEnd().split("\n").map((l) => JSON.parse(l));
  let differences = ours.length === strings.length ? 0 : 1;
  for (const [i, text] of strings.entries()) {
    const ids = (await theirs.encode(text, null, { addSpecialTokens: false })).getIds();
    const back = await theirs.decode(ids, true);
    if (ours[i] !== undefined && same(ids, ours[i]) && back === text) continue;
    if (++differences <= 5) {
      console.error(`${file}, ${kinds[i % kinds.length]}: ${JSON.stringify(text)}\n  theirs ${ids}\n  ours   ${ours[i]}\n  their text ${JSON.stringify(back)}`);
    }
  }
  console.log(`${file.split("/").pop()}: ${strings.length - differences} of ${strings.length} strings have the same ids`);
  return differences;
}

try {
  let differences = 0;
  for (const file of values.tokenizer ?? trained()) differences += await compare(file);
  process.exitCode = differences === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
