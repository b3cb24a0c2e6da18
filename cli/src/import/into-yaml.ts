/**
 * Puts new entries into the sections of a configuration file. What stands there stays as it is, letter by letter: comments,
 * order and columns are a person's.
 */
import {
  Document,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'

/** A section that is a map of named things, or a list, or a single value. */
export type NewEntries = Readonly<Record<string, Readonly<Record<string, unknown>> | readonly unknown[] | string>>

export type Merged =
  | { readonly kind: 'merged'; readonly text: string }
  | { readonly kind: 'bad'; readonly message: string }

/** Names that are in the file already, as `dialPlans.us-hq`. */
export function present(text: string, entries: NewEntries): { path: string; line: number }[] {
  const document = parseDocument(text)
  const lineOf = (offset: number) => text.slice(0, offset).split('\n').length
  return Object.entries(entries).flatMap(([section, added]) => {
    const there = document.get(section, true) as Node | undefined
    const names = Array.isArray(added)
      ? added.map((one) => (one as { name?: string }).name)
      : typeof added === 'string'
        ? []
        : Object.keys(added)
    return names.flatMap((name) => {
      const node = name === undefined ? undefined : entryNamed(there, name)
      return node === undefined ? [] : [{ path: `${section}.${name}`, line: lineOf(node.range?.[0] ?? 0) }]
    })
  })
}

function entryNamed(section: Node | undefined, name: string): Node | undefined {
  if (isMap(section)) return section.get(name, true) as Node | undefined
  if (isSeq(section)) return section.items.find((item) => isMap(item) && item.get('name') === name) as Node | undefined
  return undefined
}

export function mergeInto(text: string, entries: NewEntries): Merged {
  let merged = text
  for (const [section, added] of Object.entries(entries)) {
    const size = typeof added === 'string' ? 1 : Object.keys(added).length
    if (size === 0) continue
    const next = mergeSection(merged, section, added)
    if (next === undefined)
      return { kind: 'bad', message: `${section} is not what it should be: a ${Array.isArray(added) ? 'list' : 'map'}` }
    merged = next
  }
  return { kind: 'merged', text: merged }
}

/** The sections as a file of their own. */
export function asYaml(entries: NewEntries): string {
  return mergeInto('', entries).kind === 'merged' ? (mergeInto('', entries) as { text: string }).text : ''
}

function mergeSection(text: string, section: string, added: NewEntries[string]): string | undefined {
  const document = parseDocument(text)
  const map = document.contents
  if (map !== null && !isMap(map)) return undefined
  const pair = map?.items.find(({ key }) => isScalar(key) && key.value === section)
  if (pair === undefined) return appended(text, write({ [section]: added }))
  if (typeof added === 'string') return text
  const there = pair.value as Node | null
  if (isCollection(there) && isSeq(there) !== Array.isArray(added)) return undefined
  if (!isCollection(there) || there.flow === true || there.items.length === 0)
    return rewritten(text, pair as never, added)
  const first = startOf(there.items[0])
  const lineStart = text.lastIndexOf('\n', first) + 1
  const indent = /^[ ]*/.exec(text.slice(lineStart))?.[0] ?? ''
  return inserted(text, endOfLine(text, lastOffset(there)), indented(write(added), indent))
}

const startOf = (item: unknown): number => ((isPair(item) ? item.key : item) as Node).range?.[0] ?? 0

/** Where the last thing in it ends, however deep it is. */
function lastOffset(node: Node): number {
  if (isCollection(node) && node.flow !== true && node.items.length > 0) {
    const last = node.items.at(-1)
    const inside = (isPair(last) ? (last.value ?? last.key) : last) as Node
    return lastOffset(inside)
  }
  return node.range?.[1] ?? 0
}

/** A comment behind the last entry stays behind it. */
function endOfLine(text: string, offset: number): number {
  if (text[offset - 1] === '\n') return offset - 1
  const end = text.indexOf('\n', offset)
  return end < 0 ? text.length : end
}

function inserted(text: string, at: number, more: string): string {
  return `${text.slice(0, at)}\n${more.trimEnd()}${text.slice(at)}`
}

function appended(text: string, more: string): string {
  return text === '' ? more : `${text.trimEnd()}\n\n${more}`
}

const indented = (text: string, indent: string): string =>
  text
    .split('\n')
    .map((line) => (line === '' ? line : indent + line))
    .join('\n')

/** `routes: []` or `policies: { a: … }` in one line: the section is written anew, its entries and comments are kept. */
function rewritten(
  text: string,
  pair: YAMLMap['items'][number] & { value: Node | null },
  added: NewEntries[string],
): string {
  const document = new Document({})
  const there = isCollection(pair.value) ? pair.value : undefined
  const key = (pair.key as Node & { value: string }).value
  const all = document.createNode(Array.isArray(added) ? [] : {}) as YAMLMap
  const made = document.createNode(added) as YAMLMap
  all.items = [...((there as YAMLMap | undefined)?.items ?? []), ...made.items]
  const start = (pair.key as Node).range?.[0] ?? 0
  const end = pair.value?.range?.[1] ?? (pair.key as Node).range?.[1] ?? start
  return `${text.slice(0, start)}${write({ [key]: all }).trimEnd()}${text.slice(pair.value === null ? text.indexOf(':', start) + 1 : end)}`
}

/** Short things in one line, patterns in single quotes: as the examples are written. */
function write(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  visit(document, {
    Map(_, node) {
      if (
        node.items.every(({ value }) => !isMap(value) || value.flow === true) &&
        depthOf(node) <= 2 &&
        !node.has('rules')
      )
        node.flow ??= isLeaf(node)
    },
    Seq(_, node) {
      if (node.items.every((item) => isScalar(item))) node.flow = true
    },
    Pair(_, pair) {
      if (
        isScalar(pair.key) &&
        isScalar(pair.value) &&
        ['match', 'to'].includes(String(pair.key.value)) &&
        typeof pair.value.value === 'string'
      )
        pair.value.type = 'QUOTE_SINGLE'
    },
  })
  return document.toString({ lineWidth: 0 })
}

const isLeaf = (node: YAMLMap): boolean =>
  node.items.every(
    ({ value }) => isScalar(value) || value === null || (isSeq(value) && value.items.every((item) => isScalar(item))),
  )

function depthOf(node: Node): number {
  if (!isCollection(node)) return 0
  return 1 + Math.max(0, ...node.items.map((item) => depthOf((isPair(item) ? item.value : item) as Node)))
}
