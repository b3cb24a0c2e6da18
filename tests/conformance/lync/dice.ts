export type Dice = ReturnType<typeof dice>

/** mulberry32: the same seed, the same enterprise. */
export function dice(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return {
    below,
    chance: (p: number) => next() < p,
    one: <T>(list: readonly T[]): T => list[below(list.length)] as T,
    /** Between `least` and all of them, in any order. */
    some: <T>(list: readonly T[], least = 0): T[] => {
      const left = [...list]
      const taken: T[] = []
      const wanted = least + below(list.length - least + 1)
      while (taken.length < wanted) taken.push(...left.splice(below(left.length), 1))
      return taken
    },
    digits: (n: number) => Array.from({ length: n }, () => below(10)).join(''),
  }
}
