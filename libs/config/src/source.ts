/** YAML text → one merged value, with the file, line and column of every key and value of it. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { LIMITS } from './shapes.ts'

export interface SourceFile {
  path: string
  text: string
}

export interface Problem {
  file: string
  /** from 1 */
  line: number
  /** from 1 */
  column: number
  /** where in the configuration, as `trunks.itsp-a.to[0]` */
  path: string
  message: string
  /** what to write instead */
  instead: string
}

export type Step = string | number
export type Path = readonly Step[]

interface Spot {
  file: string
  line: number
  column: number
}
interface Place {
  key: Spot
  value: Spot
}

export interface Source {
  value: Record<string, unknown>
  problems: Problem[]
  /** Where a path is written; the nearest parent that is when it is not. `key` points at the name, `value` at what follows. */
  locate(path: Path, part: 'key' | 'value'): Spot
}

const START = { line: 1, column: 1 }

export function readSource(files: readonly SourceFile[]): Source {
  const places = new Map<string, Place>()
  const problems: Problem[] = []
  const value: Record<string, unknown> = {}
  const first = files[0]?.path ?? 'tandem.yaml'
  const keyOf = (path: Path) => path.map((s) => `${typeof s}:${s}`).join('\u0000')

  const locate = (path: Path, part: 'key' | 'value'): Spot => {
    const exact = places.get(keyOf(path))
    if (exact) return exact[part]
    for (let n = path.length - 1; n > 0; n--) {
      const parent = places.get(keyOf(path.slice(0, n)))
      if (parent) return parent.key
    }
    return { file: first, ...START }
  }

  for (const file of files) readFile(file)
  return { value, problems, locate }

  function readFile(file: SourceFile): void {
    const lines = new LineCounter()
    const spot = (offset: number): Spot => {
      const { line, col } = lines.linePos(offset)
      return { file: file.path, line: Math.max(line, 1), column: Math.max(col, 1) }
    }
    const say = (at: Spot, path: Path, message: string, instead: string) =>
      problems.push({ ...at, path: writePath(path), message, instead })

    const document = parseDocument(file.text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
    for (const error of [...document.errors, ...document.warnings]) {
      say(spot(error.pos[0]), [], `not valid YAML: ${error.message}`, yamlAdvice(error.code))
    }
    if (document.errors.length > 0) return
    const root = document.contents
    if (root === null) return
    if (!isMap(root)) {
      say(
        spot(nodeStart(root)),
        [],
        'the file is not a list of sections',
        'Begin with `version: 1`, then the sections.',
      )
      return
    }
    let aliases = 0
    mergeMap(root, value, [], 0)

    function mergeMap(map: YAMLMap, target: Record<string, unknown>, path: Path, depth: number): void {
      for (const pair of map.items) {
        const keyNode = pair.key as Node
        const at = spot(nodeStart(keyNode))
        const key = isScalar(keyNode) ? String(keyNode.source ?? keyNode.value) : null
        if (key === null || key === '__proto__' || key.length > LIMITS.text) {
          say(at, path, 'this cannot be a key', 'Write a plain name before the colon.')
          continue
        }
        const here = [...path, key]
        const node = pair.value as Node | null
        const place = { key: at, value: node === null ? at : spot(nodeStart(node)) }
        const already = target[key]
        if (already === undefined || !Object.hasOwn(target, key)) {
          places.set(keyOf(here), place)
          target[key] = build(node, here, depth + 1)
        } else if (isMap(node) && isRecord(already) && locate(here, 'key').file !== file.path) {
          mergeMap(node, already, here, depth + 1)
        } else if (isSeq(node) && Array.isArray(already) && locate(here, 'key').file !== file.path) {
          appendAll(node.items as Node[], already, here, depth + 1)
        } else {
          const before = locate(here, 'key')
          say(at, here, `${key} is said twice, here and at ${before.file}:${before.line}`, 'Keep one of them.')
        }
      }
    }

    function appendAll(items: Node[], target: unknown[], path: Path, depth: number): void {
      for (const item of items) {
        const here = [...path, target.length]
        const at = spot(nodeStart(item))
        places.set(keyOf(here), { key: at, value: at })
        target.push(build(item, here, depth))
      }
    }

    function build(node: Node | null, path: Path, depth: number): unknown {
      if (depth > 32) {
        say(locate(path, 'value'), path, 'nested too deep', 'No section needs more than 10 levels.')
        return null
      }
      if (isAlias(node)) {
        aliases++
        const target = node.resolve(document)
        if (aliases > 10_000 || target === undefined) {
          say(locate(path, 'value'), path, 'this alias cannot be followed', 'Write the value out.')
          return null
        }
        return build(target, path, depth + 1)
      }
      if (isMap(node)) {
        const target: Record<string, unknown> = {}
        mergeMap(node, target, path, depth)
        return target
      }
      if (isSeq(node)) {
        const target: unknown[] = []
        appendAll(node.items as Node[], target, path, depth + 1)
        return target
      }
      return isScalar(node) ? node.value : null
    }
  }
}

function nodeStart(node: Node): number {
  return node.range?.[0] ?? 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function yamlAdvice(code: string): string {
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces, not tabs.'
  if (code === 'BAD_INDENT') return 'Indent the keys of one section by the same number of spaces.'
  if (code === 'MISSING_CHAR') return 'Close the quote, bracket or brace, or add the missing colon or comma.'
  return 'Quote a value that holds : # { } [ ] , & * ! | > % @ or a leading dash.'
}

/** `['trunks', 'itsp-a', 'to', 0]` → `trunks.itsp-a.to[0]` */
export function writePath(path: Path): string {
  return path.map((s, i) => (typeof s === 'number' ? `[${s}]` : i === 0 ? s : `.${s}`)).join('')
}
