// What llama.cpp says of a GGUF file: feeds token ids and prints its greedy continuation as one JSON document.
//
//   node llama_cpp_check.mjs MODEL.gguf --ids 11,48,85 [--tokens 32] [--text "some text"]
//
// Output: {"greedy": [ids], "margins": [logit of the best minus logit of the second, per step], "text_ids": [ids]}.
// A margin comes from llama.cpp's probabilities: ln(p1 / p2) is the difference of the logits. text_ids are llama.cpp's
// ids of --text, without bos and eos. One thread, CPU only. Exit status 77, with a line on stderr, where the
// packages are not installed: npm install
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    ids: { type: "string" },
    tokens: { type: "string", default: "32" },
    text: { type: "string" },
  },
});
if (positionals.length !== 1 || values.ids === undefined) {
  console.error("usage: node llama_cpp_check.mjs MODEL.gguf --ids 1,2,3 [--tokens 32] [--text TEXT]");
  process.exit(2);
}

let llama;
try {
  const { getLlama, LlamaLogLevel } = await import("node-llama-cpp");
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1 });
} catch (error) {
  console.error(`skipped: node-llama-cpp cannot be loaded (${error.message})`);
  process.exit(77);
}

const model = await llama.loadModel({ modelPath: positionals[0], gpuLayers: 0 });
const ids = values.ids.split(",").map(Number);
const count = Number(values.tokens);
const context = await model.createContext({
  contextSize: Math.min(ids.length + count, model.trainContextSize),
  batchSize: ids.length,
  sequences: 1,
  threads: 1,
});
const sequence = context.getSequence();

// Evaluates the ids and returns the best next id with its margin over the second.
async function next(tokens) {
  const input = tokens.map((id, i) =>
    i + 1 < tokens.length ? id : [id, { generateNext: { token: true, probabilities: true, options: { temperature: 0 } } }]);
  const output = await sequence.controlledEvaluate(input);
  const [[best, p1], [, p2]] = [...output.at(-1).next.probabilities].sort((a, b) => b[1] - a[1]);
  return { best, margin: Math.log(p1 / p2) };
}

const greedy = [];
const margins = [];
for (let tokens = ids; greedy.length < count && ids.length + greedy.length <= context.contextSize; ) {
  const { best, margin } = await next(tokens);
  greedy.push(best);
  margins.push(margin);
  tokens = [best];
}
const result = { greedy, margins };
if (values.text !== undefined) result.text_ids = model.tokenize(values.text);
console.log(JSON.stringify(result));
await llama.dispose();
process.exit(0);
