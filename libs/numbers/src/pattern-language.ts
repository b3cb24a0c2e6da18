import type { CharSet, Item, PatternTree } from './pattern-tree.ts'

/** Everything that can be dialled on a keypad, and "+". */
const alphabet = Array.from('0123456789*#+', (char) => char.charCodeAt(0))
const mostStates = 4000
const mostPairs = 20_000

/** Nondeterministic automaton: per state the moves by a set of characters, and those for nothing. */
type Automaton = { moves: { set: CharSet; to: number }[][]; free: number[][]; accept: number }

/**
 * Whether every dial string that `tree` matches is matched by one of `others`: then a rule below them never gets a
 * call. Undefined when that would take too long to find out.
 */
export function isCovered(tree: PatternTree, others: readonly PatternTree[]): boolean | undefined {
  if (others.length === 0) return false
  const mine = build([tree])
  const theirs = build(others)
  if (mine.free.length + theirs.free.length > mostStates) return undefined
  const queue: [number[], number[]][] = [[reach(mine, [0]), reach(theirs, [0])]]
  const seen = new Set<string>()
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [here, there] = next
    if (here.includes(mine.accept) && !there.includes(theirs.accept)) return false
    for (const code of alphabet) {
      const after = step(mine, here, code)
      if (after.length === 0) continue
      const pair: [number[], number[]] = [after, step(theirs, there, code)]
      const key = `${pair[0].join()}/${pair[1].join()}`
      if (seen.has(key)) continue
      if (seen.size > mostPairs) return undefined
      seen.add(key)
      queue.push(pair)
    }
  }
  return true
}

function step(automaton: Automaton, states: readonly number[], code: number): number[] {
  const to: number[] = []
  for (const state of states) {
    for (const move of automaton.moves[state] ?? []) if (has(move.set, code)) to.push(move.to)
  }
  return reach(automaton, to)
}

export const has = (set: CharSet, code: number): boolean => set.codes.has(code) !== set.negated

/** The states, and those that follow for nothing, sorted. */
function reach(automaton: Automaton, states: readonly number[]): number[] {
  const all = new Set(states)
  for (const state of all) for (const to of automaton.free[state] ?? []) all.add(to)
  return [...all].sort((a, b) => a - b)
}

/** One automaton that accepts what any of the patterns matches; state 0 begins. */
function build(trees: readonly PatternTree[]): Automaton {
  const automaton: Automaton = { moves: [[], []], free: [[], []], accept: 1 }
  for (const tree of trees) {
    const start = add(automaton)
    automaton.free[0]?.push(start)
    if (!tree.fromStart) automaton.moves[start]?.push({ set: anyone, to: start })
    const end = addSequence(automaton, tree.items, start)
    if (!tree.toEnd) automaton.moves[end]?.push({ set: anyone, to: end })
    automaton.free[end]?.push(automaton.accept)
  }
  return automaton
}

const anyone: CharSet = { negated: true, codes: new Set() }

function add(automaton: Automaton): number {
  automaton.moves.push([])
  return automaton.free.push([]) - 1
}

function addSequence(automaton: Automaton, items: readonly Item[], from: number): number {
  let at = from
  for (const item of items) at = item.kind === 'one' ? addOne(automaton, item, at) : addGroup(automaton, item, at)
  return at
}

function addGroup(automaton: Automaton, group: Item & { kind: 'group' }, from: number): number {
  const end = add(automaton)
  for (const option of group.options) {
    const start = add(automaton)
    automaton.free[from]?.push(start)
    automaton.free[addSequence(automaton, option, start)]?.push(end)
  }
  return end
}

function addOne(automaton: Automaton, one: Item & { kind: 'one' }, from: number): number {
  const end = add(automaton)
  let at = from
  for (let n = 0; n < (one.max === Number.POSITIVE_INFINITY ? one.min : one.max); n++) {
    if (n >= one.min) automaton.free[at]?.push(end)
    const next = add(automaton)
    automaton.moves[at]?.push({ set: one.set, to: next })
    at = next
  }
  if (one.max === Number.POSITIVE_INFINITY) {
    const loop = add(automaton)
    automaton.free[at]?.push(loop)
    automaton.moves[loop]?.push({ set: one.set, to: loop })
    at = loop
  }
  automaton.free[at]?.push(end)
  return end
}
