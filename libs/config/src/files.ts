/** The configuration on disk: one file, or a folder of .yaml files, and the rate decks that it names. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { SourceFile } from './source.ts'

export type ReadFiles =
  | { kind: 'ok'; files: SourceFile[]; folder: string }
  | { kind: 'missing'; message: string; instead: string }

/** Paths are relative to the working folder, as an editor wants them; `folder` is what paths inside are relative to. */
export function readConfigurationFiles(path: string): ReadFiles {
  try {
    const absolute = resolve(path)
    if (!statSync(absolute).isDirectory()) {
      return { kind: 'ok', files: [readSourceFile(absolute)], folder: dirname(absolute) }
    }
    const names = readdirSync(absolute)
      .filter((n) => /\.ya?ml$/.test(n))
      .sort()
    if (names.length === 0) {
      return {
        kind: 'missing',
        message: `${path} holds no .yaml file`,
        instead: 'Give a file or a folder of .yaml files.',
      }
    }
    return { kind: 'ok', files: names.map((n) => readSourceFile(join(absolute, n))), folder: absolute }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const what = code === 'ENOENT' ? `there is no ${path}` : `${path} cannot be read: ${message}`
    return { kind: 'missing', message: what, instead: 'Give the configuration with --config FILE.' }
  }
}

function readSourceFile(absolute: string): SourceFile {
  const near = relative(process.cwd(), absolute)
  return { path: near.startsWith('..') ? absolute : near, text: readFileSync(absolute, 'utf8') }
}

/** Texts of the rate decks, by the path as it is written; those that cannot be read are named. */
export function readDecks(
  written: readonly string[],
  folder: string,
): { decks: Record<string, string>; missing: string[] } {
  const decks: Record<string, string> = {}
  const missing: string[] = []
  for (const path of written) {
    try {
      decks[path] = readFileSync(isAbsolute(path) ? path : join(folder, path), 'utf8')
    } catch {
      missing.push(path)
    }
  }
  return { decks, missing }
}
