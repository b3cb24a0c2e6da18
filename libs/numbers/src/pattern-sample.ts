import { has } from './pattern-language.ts'
import type { CharSet, Item, PatternTree } from './pattern-tree.ts'

const keys = Array.from('0123456789*#+', (char) => char.charCodeAt(0))
const mostAlternatives = 8

/**
 * Numbers that the pattern matches and that could be real: open places are filled from the right with digits of
 * `home`, and with a number from `abroad` where all of it has room. All are whole numbers with their country code.
 */
export function samples(tree: PatternTree, home: string, abroad: readonly string[]): string[] {
  const found = new Set<string>()
  for (const items of spread(tree.items)) {
    for (const filler of [home, ...abroad]) {
      const fixed = items.reduce((sum, item) => sum + item.min, 0)
      for (const extra of [0, 7 - fixed, 10 - fixed, filler.length - fixed, filler.length - 1, filler.length]) {
        const text = fill(items, filler, Math.max(0, extra), filler !== home)
        if (text !== undefined) found.add(text)
      }
    }
  }
  return [...found]
}

type One = Item & { kind: 'one' }

/** Each choice of alternatives, the first few of them, without the groups around. */
function spread(items: readonly Item[]): One[][] {
  let all: One[][] = [[]]
  for (const item of items) {
    const options = item.kind === 'one' ? [[item]] : item.options.flatMap(spread)
    all = all.flatMap((before) => options.map((option) => [...before, ...option])).slice(0, mostAlternatives)
  }
  return all
}

function fill(items: readonly One[], filler: string, extra: number, whole: boolean): string | undefined {
  const places: CharSet[] = []
  let left = extra
  for (const item of items) {
    const more = Math.min(left, item.max - item.min)
    left -= more
    for (let n = 0; n < item.min + more; n++) places.push(item.set)
  }
  if (whole && places.length < filler.length) return undefined
  let text = ''
  for (let n = 0; n < places.length; n++) {
    const set = places[n] as CharSet
    const wanted = filler.charCodeAt(filler.length - places.length + n)
    const fits = wanted > 0 && has(set, wanted)
    if (whole && wanted > 0 && !fits) return undefined
    const code = fits ? wanted : keys.find((key) => has(set, key))
    if (code === undefined) return undefined
    text += String.fromCharCode(code)
  }
  return text
}
