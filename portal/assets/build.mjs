/**
 * Bundles portal/assets into portal/static/dist.
 *
 * Every output carries a hash of its content in its name, so it may be cached for ever; `manifest.json` maps the
 * logical name (`app.js`) to the file (`app-3F2A….js`). It is written last and replaced atomically: a page that is
 * served during a build finds either all of the old files or all of the new ones.
 *
 *   node portal/assets/build.mjs [--json]
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.join(here, "..", "static", "dist");
const asJson = process.argv.includes("--json");

const common = {
  absWorkingDir: path.join(here, "..", ".."),
  bundle: true,
  minify: true,
  metafile: true,
  legalComments: "linked",
  logLevel: asJson ? "silent" : "warning",
  target: ["chrome123", "firefox121", "safari17.5"],
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "chunks/[name]-[hash]",
};

/** Pages load these as modules; what they share, and what they import on demand, becomes a chunk of its own. */
const modules = ["app.js", "editor.js", "lab.js", "lesson.js", "practice.js", "program.js", "quiz.js"];
/** Runs before the first paint, so it must be a classic script. */
const blocking = ["theme.js"];
/** Copied as they are. */
const copied = ["favicon.svg"];

const previous = await readdir(out, { recursive: true, withFileTypes: true }).catch(() => []);
await mkdir(out, { recursive: true });

const results = await Promise.all([
  build({ ...common, entryPoints: modules.map((name) => path.join(here, "js", name)), format: "esm", splitting: true }),
  build({ ...common, entryPoints: blocking.map((name) => path.join(here, "js", name)), format: "iife" }),
  build({ ...common, entryPoints: [path.join(here, "css", "app.css")] }),
]);

const manifest = {};
const written = new Set(["manifest.json"]);
for (const { metafile } of results) {
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
    const relative = path.relative(out, path.resolve(common.absWorkingDir, file));
    written.add(relative);
    const logical = entryPoint && path.basename(entryPoint);
    if (logical && path.extname(logical) === path.extname(relative) && !relative.startsWith("chunks")) {
      manifest[logical] = relative;
    }
  }
}

for (const name of copied) {
  const content = await readFile(path.join(here, "static", name));
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 8).toUpperCase();
  const { name: stem, ext } = path.parse(name);
  manifest[name] = `${stem}-${hash}${ext}`;
  written.add(manifest[name]);
  await writeFile(path.join(out, manifest[name]), content);
}

const staged = path.join(out, "manifest.json.new");
await writeFile(staged, `${JSON.stringify(manifest, Object.keys(manifest).sort(), 2)}\n`);
await rename(staged, path.join(out, "manifest.json"));

for (const entry of previous) {
  const file = path.join(entry.parentPath, entry.name);
  if (entry.isFile() && !written.has(path.relative(out, file))) await rm(file, { force: true });
}

const sizes = {};
for (const [logical, file] of Object.entries(manifest)) sizes[logical] = (await stat(path.join(out, file))).size;
if (asJson) {
  console.log(JSON.stringify({ manifest, bytes: sizes }));
} else {
  for (const [logical, bytes] of Object.entries(sizes).sort()) {
    console.log(`${logical.padEnd(14)} ${String(Math.ceil(bytes / 1024)).padStart(5)} KiB  ${manifest[logical]}`);
  }
}
