import { RE2JS, RE2JSException } from 're2js'
import { choices, type PatternTree, readPatternTree, toJavaScript } from './pattern-tree.ts'

/** Longer texts match nothing: no number and no user name is that long. */
export const longestInput = 256
/** Up to here a backtracking engine is as good as linear: at most this many ways of 256 steps. */
const mostChoices = 1024
/**
 * RE2 costs at most its program times the text: 500 × 256 steps are a few ms. A pattern that is larger (`\d{1,1000}`)
 * is refused rather than let every call wait for it.
 */
const largestProgram = 500

/**
 * A user's regular expression, matched in time that no input can blow up: by the JavaScript engine where the pattern
 * is proven cheap, else by RE2 (linear in the text).
 */
export type Pattern = {
  readonly source: string
  readonly engine: 'javascript' | 're2'
  readonly groups: number
  /** Instructions of RE2; 0 for the other engine. */
  readonly size: number
  /** The pattern taken apart, where it keeps to the simple grammar. */
  readonly tree: PatternTree | undefined
  test(text: string): boolean
  /** Index of the match, the whole match and the groups ('' for one that took no part); null without a match. */
  exec(text: string): PatternMatch | null
}
export type PatternMatch = { readonly index: number; readonly groups: readonly string[] }

export type CompiledPattern =
  | { readonly kind: 'pattern'; readonly pattern: Pattern }
  /** `hint` says what to write instead. */
  | { readonly kind: 'unsupported'; readonly message: string; readonly hint: string }

/** Never throws. */
export function compilePattern(source: string): CompiledPattern {
  const tree = readPatternTree(source)
  if (tree !== undefined && choices(tree, longestInput) <= mostChoices) {
    return { kind: 'pattern', pattern: javaScriptPattern(source, tree) }
  }
  try {
    if (RE2JS.compile(source).programSize() > largestProgram) return tooLarge(source)
    return { kind: 'pattern', pattern: re2Pattern(source, tree) }
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    return { kind: 'unsupported', message: `"${source}" cannot be used: ${error.message}`, hint: hintFor(source) }
  }
}

export function javaScriptPattern(source: string, tree: PatternTree): Pattern {
  const expression = toJavaScript(tree)
  return {
    source,
    engine: 'javascript',
    groups: tree.groups,
    size: 0,
    tree,
    test: (text) => text.length <= longestInput && expression.test(text),
    exec(text) {
      if (text.length > longestInput) return null
      const match = expression.exec(text)
      return match === null ? null : { index: match.index, groups: Array.from(match, (group) => group ?? '') }
    },
  }
}

export function re2Pattern(source: string, tree: PatternTree | undefined): Pattern {
  const expression = RE2JS.compile(source)
  const groups = expression.groupCount()
  return {
    source,
    engine: 're2',
    groups,
    size: expression.programSize(),
    tree,
    test: (text) => text.length <= longestInput && expression.test(text),
    exec(text) {
      if (text.length > longestInput) return null
      const matcher = expression.matcher(text)
      if (!matcher.find()) return null
      return {
        index: matcher.start(0),
        groups: Array.from({ length: groups + 1 }, (_, n) => matcher.group(n) ?? ''),
      }
    },
  }
}

function tooLarge(source: string): CompiledPattern {
  const message = `"${source}" is too large to be tried on every call`
  const hint = source.replace(/\{(\d*),?(\d{2,})\}/g, (times, _least, most) => (Number(most) > 15 ? '{1,15}' : times))
  const instead = hint === source ? 'split it in several rules' : `a number has at most 15 digits: write '${hint}'`
  return { kind: 'unsupported', message, hint: instead }
}

/** What to write instead of a construct that no linear-time engine has; the rule is rewritten where that can be done. */
function hintFor(source: string): string {
  // What stands before the look-ahead, what must not follow, the rest.
  const negative = /^\^((?:[^()\\]|\\.)*)\(\?!((?:[^()\\]|\\.)*)\)(.*)$/.exec(source)
  if (negative !== null) {
    const [, before, not, rest] = negative
    const excepted = (not as string).split('|').map((one) => `'^${before}${one}'`)
    return `look-ahead is not available: in a route write match: '^${before}${rest}' with except: [${excepted.join(', ')}]; in a dial plan put a rule for ${excepted.join(' and ')} above and write match: '^${before}${rest}'`
  }
  const positive = /^\^\(\?=((?:[^()\\]|\\.)*)\)\(\\d([+*]|\{\d+(?:,\d*)?\})\)\$$/.exec(source)
  const start = positive?.[1]?.replace(/^\^/, '')
  if (start !== undefined && /^\d+$/.test(start)) {
    return `look-ahead is not available: write '^(${start}\\d*)$', with {n} in place of * where the length counts`
  }
  if (/\(\?<?[=!]/.test(source)) {
    return 'look-ahead and look-behind are not available: split the rule in two, the special case first (first match wins)'
  }
  if (/\\[1-9]/.test(source))
    return 'a reference back to a group is not available in match: write the digits out, or split the rule'
  const plain = source.replace(/\(\?>/g, '(?:').replace(/(?<!\\)([*+?}])\+/g, '$1')
  if (plain !== source) return `atomic groups and possessive quantifiers are not needed here: write '${plain}'`
  const noComment = source.replace(/\(\?#[^)]*\)/g, '').replace(/\\Z$/, '$')
  if (noComment !== source) return `write '${noComment}'`
  return 'see https://github.com/google/re2/wiki/Syntax for what can be written'
}

/** A result with `$1` … `$9` (or `${1}`), `$0` for the whole match and `$$` for a dollar sign. */
export type Template = { readonly parts: readonly (string | number)[]; readonly highestGroup: number }

export function compileTemplate(to: string): Template {
  const parts: (string | number)[] = []
  let highestGroup = 0
  let literal = ''
  for (const [piece, braced, plain] of to.matchAll(/\$\{(\d)\}|\$(\d|\$)|[^$]+|\$/g)) {
    const group = braced ?? (plain === '$' ? undefined : plain)
    if (group === undefined) {
      literal += plain === '$' ? '$' : piece
      continue
    }
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(Number(group))
    highestGroup = Math.max(highestGroup, Number(group))
  }
  if (literal !== '') parts.push(literal)
  return { parts, highestGroup }
}

/** The text with the matched part replaced; what an unanchored pattern left unmatched stays around it. */
export function substitute(text: string, match: PatternMatch, template: Template): string {
  let result = match.index > 0 ? text.slice(0, match.index) : ''
  for (const part of template.parts) result += typeof part === 'string' ? part : (match.groups[part] ?? '')
  const end = match.index + (match.groups[0] as string).length
  return end < text.length ? result + text.slice(end) : result
}
