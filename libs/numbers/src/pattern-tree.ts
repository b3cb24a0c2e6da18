/**
 * The part of the regular expression language that nearly every dial plan keeps to: literals, `\d`, `.`, classes,
 * groups with alternatives, and a quantifier on single characters. What is read here can be proven cheap (`choices`),
 * compared (pattern-language.ts) and sampled (pattern-sample.ts); everything else is left to the RE2 engine.
 *
 *   pattern  = [ "^" ] sequence [ "$" ]
 *   sequence = *( item )
 *   item     = group / ( one [ quantifier ] )
 *   group    = "(" [ "?:" ] sequence *( "|" sequence ) ")"
 *   one      = literal / "\d" / "." / "[" class "]"
 */
export type PatternTree = {
  readonly fromStart: boolean
  readonly toEnd: boolean
  readonly items: readonly Item[]
  readonly groups: number
}
export type Item =
  | { readonly kind: 'one'; readonly set: CharSet; readonly min: number; readonly max: number }
  | { readonly kind: 'group'; readonly captures: boolean; readonly options: readonly (readonly Item[])[] }
/** Characters by code, or all but these. */
export type CharSet = { readonly negated: boolean; readonly codes: ReadonlySet<number> }

/** A pattern that is longer, or repeats a character more often, is not looked into. */
const longestPattern = 1024
const mostRepeats = 64

type Reader = { readonly text: string; at: number; groups: number }

/** The tree, or undefined when the pattern uses anything beyond the grammar above. */
export function readPatternTree(source: string): PatternTree | undefined {
  if (source.length > longestPattern) return undefined
  const fromStart = source.startsWith('^')
  const toEnd = /(?:^|[^\\])(?:\\\\)*\$$/.test(source)
  const reader = { text: toEnd ? source.slice(0, -1) : source, at: fromStart ? 1 : 0, groups: 0 }
  const items = readSequence(reader, 0)
  if (items === undefined || reader.at !== reader.text.length) return undefined
  return { fromStart, toEnd, items, groups: reader.groups }
}

function readSequence(r: Reader, depth: number): Item[] | undefined {
  const items: Item[] = []
  while (r.at < r.text.length && r.text[r.at] !== '|' && r.text[r.at] !== ')') {
    const item = r.text[r.at] === '(' ? readGroup(r, depth) : readOne(r)
    if (item === undefined) return undefined
    items.push(item)
  }
  return items
}

function readGroup(r: Reader, depth: number): Item | undefined {
  if (depth >= 8) return undefined
  r.at++
  const captures = !r.text.startsWith('?:', r.at)
  if (captures) r.groups++
  else r.at += 2
  const options: Item[][] = []
  do {
    if (options.length > 0) r.at++
    const option = readSequence(r, depth + 1)
    if (option === undefined) return undefined
    options.push(option)
  } while (r.text[r.at] === '|')
  if (r.text[r.at] !== ')') return undefined
  r.at++
  // A quantifier on a group nests choices: not provable here.
  if (/[*+?{]/.test(r.text[r.at] ?? '')) return undefined
  return { kind: 'group', captures, options }
}

function readOne(r: Reader): Item | undefined {
  const set = r.text[r.at] === '[' ? readClass(r) : readChar(r)
  if (set === undefined) return undefined
  const times = readQuantifier(r)
  return times === undefined ? undefined : { kind: 'one', set, min: times[0], max: times[1] }
}

const digits: CharSet = { negated: false, codes: new Set(Array.from('0123456789', (d) => d.charCodeAt(0))) }
const anything: CharSet = { negated: true, codes: new Set([10]) }

function readChar(r: Reader): CharSet | undefined {
  const char = r.text[r.at] as string
  if (char === '.') {
    r.at++
    return anything
  }
  if (char === '\\') {
    const escaped = r.text[r.at + 1]
    r.at += 2
    if (escaped === 'd') return digits
    // Escaped letters and digits are classes, assertions, references: only punctuation is literal.
    return escaped !== undefined && /^[!-/:-@[-`{-~]$/.test(escaped) ? only(escaped) : undefined
  }
  if (!/^[0-9A-Za-z #\-_/:;,@!&%=~'"<>]$/.test(char)) return undefined
  r.at++
  return only(char)
}

const only = (char: string): CharSet => ({ negated: false, codes: new Set([char.charCodeAt(0)]) })

function readClass(r: Reader): CharSet | undefined {
  const end = r.text.indexOf(']', r.at)
  const inside = end < 0 ? '' : r.text.slice(r.at + 1, end)
  const negated = inside.startsWith('^')
  const parts = negated ? inside.slice(1) : inside
  const match = /^(?:\\d|\\[*#+.\-/]|[0-9A-Za-z]-[0-9A-Za-z]|[0-9A-Za-z*#+. ])+$/.test(parts)
  if (!match) return undefined
  const codes = new Set<number>()
  for (const [part] of parts.matchAll(/\\d|\\.|.-.|./g)) {
    if (part === '\\d') for (const code of digits.codes) codes.add(code)
    else if (part.length === 3) {
      if (part.charCodeAt(0) > part.charCodeAt(2)) return undefined
      for (let code = part.charCodeAt(0); code <= part.charCodeAt(2); code++) codes.add(code)
    } else codes.add(part.charCodeAt(part.length - 1))
  }
  r.at = end + 1
  return { negated, codes }
}

function readQuantifier(r: Reader): [number, number] | undefined {
  const [written, fewest, comma, most] = /^(?:[*+?]|\{(\d{1,3})(,(\d{0,3}))?\})?/.exec(
    r.text.slice(r.at, r.at + 9),
  ) ?? ['']
  const next = r.text[r.at + written.length] ?? ''
  // Lazy and possessive quantifiers, or a brace that is none.
  if (written === '' ? next === '{' : /[*+?{]/.test(next)) return undefined
  r.at += written.length
  if (written === '') return [1, 1]
  if (written === '*') return [0, Number.POSITIVE_INFINITY]
  if (written === '+') return [1, Number.POSITIVE_INFINITY]
  if (written === '?') return [0, 1]
  const min = Number(fewest)
  const max = comma === undefined ? min : most ? Number(most) : Number.POSITIVE_INFINITY
  return min > mostRepeats || (max !== Number.POSITIVE_INFINITY && max > mostRepeats) || max < min
    ? undefined
    : [min, max]
}

/**
 * The most ways in which a backtracking engine can try the pattern on a text of `length` characters: the product of
 * the choices at each quantifier, each alternative and, without `^`, each beginning. Groups are never repeated, so
 * there are no more choices than these; each way costs at most `length` steps.
 */
export function choices(tree: PatternTree, length: number): number {
  return ways(tree.items, length) * (tree.fromStart ? 1 : length + 1)
}

function ways(items: readonly Item[], length: number): number {
  let product = 1
  for (const item of items) {
    if (item.kind === 'one') product *= Math.min(item.max, length) - Math.min(item.min, length) + 1
    else product *= item.options.reduce((sum, option) => sum + ways(option, length), 0)
  }
  return product
}

/** The same pattern for the JavaScript engine, with the meaning that RE2 gives to it. */
export function toJavaScript(tree: PatternTree): RegExp {
  const source = `${tree.fromStart ? '^' : ''}${writeItems(tree.items)}${tree.toEnd ? '$' : ''}`
  return new RegExp(source, 'u')
}

function writeItems(items: readonly Item[]): string {
  return items
    .map((item) =>
      item.kind === 'group'
        ? `(${item.captures ? '' : '?:'}${item.options.map(writeItems).join('|')})`
        : writeSet(item.set) + writeTimes(item.min, item.max),
    )
    .join('')
}

function writeSet(set: CharSet): string {
  const all = [...set.codes].map((code) => `\\u${code.toString(16).padStart(4, '0')}`)
  return !set.negated && all.length === 1 ? (all[0] as string) : `[${set.negated ? '^' : ''}${all.join('')}]`
}

function writeTimes(min: number, max: number): string {
  if (min === 1 && max === 1) return ''
  return `{${min},${max === Number.POSITIVE_INFINITY ? '' : max}}`
}
