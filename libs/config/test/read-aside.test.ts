import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { test } from 'node:test'
import { workWatch } from '@tandem/testing/when-busy.ts'
import { piecesOf } from '../src/aside.ts'
import { readRevisionAside } from '../src/read-aside.ts'
import { readRevision, writeRevision } from '../src/revision.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const people = Array.from({ length: 3000 }, (_, i) => `  u${i}: { site: hq, policy: staff, password: { env: P } }`)
const revision = (text: string, decks: Record<string, string> = {}) =>
  writeRevision({ ...{ revision: 7, by: 'x', at: '', why: '', decks }, source: [{ path: 'a.yaml', text }] })

test('a large revision is read beside what runs: the same configuration, and the longest stop is short', async () => {
  const bytes = revision(acme.replace(/^users:\n/m, `users:\n${people.join('\n')}\n`))
  let [stop, last] = [0, workWatch()]
  const beat = setInterval(() => {
    stop = Math.max(stop, last())
    last = workWatch()
  }, 1)
  const aside = await readRevisionAside(bytes)
  clearInterval(beat)
  const began = workWatch()
  const here = readRevision(bytes)
  const whole = began()
  assert.ok(aside.kind === 'ok' && here.kind === 'ok')
  assert.deepEqual(aside.configuration, here.configuration)
  assert.equal(aside.revision.revision, 7)
  assert.ok(stop < whole, `${stop} ms of ${whole} ms`)
})
test('a large revision that does not compile says why', async () => {
  const read = await readRevisionAside(revision(`${acme}\n# ${'x'.repeat(300_000)}\nnonsense: 1\n`))
  assert.equal(read.kind, 'bad')
  assert.ok(read.kind === 'bad' && read.problems.length > 0)
})

test('the rate decks of a large revision come when they are asked for, other files do not', async () => {
  const decks = { 'rates/itsp-a.csv': 'prefix,name\n1,x\n', 'numbers.csv': 'number,user\n' }
  const bytes = revision(`${acme}\n# ${'x'.repeat(300_000)}\n`, decks)
  const [without, having] = [await readRevisionAside(bytes), await readRevisionAside(bytes, { decks: true })]
  assert.deepEqual(without.kind === 'ok' && without.revision.decks, {})
  const used = Object.values(having.kind === 'ok' ? having.configuration.rateDecks : {}).flatMap((deck) =>
    deck.kind === 'per-minute' && deck.file in decks ? [deck.file] : [],
  )
  assert.ok(used.length > 0)
  assert.deepEqual(Object.keys(having.kind === 'ok' ? having.revision.decks : {}), [...new Set(used)])
})
test('a process that ends before its last piece is an error for the one who reads, not a wait', async () => {
  const dies = new URL('./no-such-module.ts', import.meta.url)
  await assert.rejects(async () => {
    for await (const piece of piecesOf(dies, new Uint8Array())) assert.fail(String(piece))
  }, /ended early/)
})

test('whoever has no configuration yet reads its first one at once, later ones come after the calls', async () => {
  const module = new URL('./tell-priority.ts', import.meta.url)
  const ranks: number[] = []
  for (const urgent of [true, false])
    for await (const rank of piecesOf<number>(module, new Uint8Array(), [], { urgent })) ranks.push(rank)
  assert.equal(ranks[0], getPriority())
  assert.ok((ranks[1] ?? 0) > (ranks[0] ?? 0) || getPriority() >= 10, String(ranks))
})
