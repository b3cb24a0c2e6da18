import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildPrefixTable } from '../src/prefix-table.ts'

function longestByScan(prefixes: readonly string[], number: string): number {
  let best = -1
  for (const [id, prefix] of prefixes.entries()) {
    if (number.startsWith(prefix) && (best === -1 || prefix.length > (prefixes[best] as string).length)) best = id
  }
  return best
}

test('the longest prefix wins, whatever the order of the rows', () => {
  const prefixes = ['1425', '1', '1425555', '44', '4420']
  const table = buildPrefixTable(prefixes)
  const found = (number: string) => prefixes[table.longest(number)]
  assert.equal(found('+14255551001'), '1425555')
  assert.equal(found('14254441001'), '1425')
  assert.equal(found('12065550100'), '1')
  assert.equal(found('442079460000'), '4420')
  assert.equal(found('4'), undefined)
  assert.equal(found('142'), '1')
  assert.equal(found(''), undefined)
  assert.equal(found('+'), undefined)
  assert.equal(found('alice'), undefined)
  assert.equal(found('1425;ext=9'), '1425')
})

test('the catch-all answers what nothing else does', () => {
  const table = buildPrefixTable(['1425', ''])
  assert.equal(table.longest('99'), 1)
  assert.equal(table.longest(''), 1)
  assert.equal(table.longest('1424'), 1)
  assert.equal(table.longest('1425'), 0)
  assert.equal(table.shorter(0), 1)
  assert.equal(table.shorter(1), -1)
})

test('a prefix knows the next shorter one that covers it', () => {
  const prefixes = ['44', '4', '442079', '4420', '1']
  const table = buildPrefixTable(prefixes)
  assert.deepEqual(
    prefixes.map((_, id) => prefixes[table.shorter(id)] ?? null),
    ['4', null, '4420', '44', null],
  )
})

test('the table agrees with a plain scan for any set of prefixes and any number', () => {
  const digits = (max: number) => fc.string({ unit: fc.constantFrom(...'0123'), maxLength: max })
  fc.assert(
    fc.property(
      fc.uniqueArray(digits(6), { maxLength: 40 }),
      fc.array(digits(9), { maxLength: 20 }),
      (set, numbers) => {
        const table = buildPrefixTable(set)
        for (const number of numbers) assert.equal(table.longest(number), longestByScan(set, number))
        for (const [id, prefix] of set.entries()) {
          const covering = set.filter((other) => other.length < prefix.length && prefix.startsWith(other))
          const next = covering.sort((a, b) => b.length - a.length)[0]
          assert.equal(set[table.shorter(id)], next)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('a row that is no digit string, or is there twice, is refused', () => {
  assert.throws(() => buildPrefixTable(['14a']), RangeError)
  assert.throws(() => buildPrefixTable(['+1']), RangeError)
  assert.throws(() => buildPrefixTable(['1', '1']), RangeError)
})

test('200,000 prefixes fit in 40 MiB', () => {
  const prefixes = new Set<string>()
  let x = 7
  while (prefixes.size < 200_000) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    prefixes.add((x >>> 0).toString().slice(0, 3 + ((x >>> 0) % 7)))
  }
  const table = buildPrefixTable([...prefixes])
  assert.equal(table.size, 200_000)
  assert.ok(table.bytes < 40 * 1024 * 1024, `${table.bytes} bytes`)
})
