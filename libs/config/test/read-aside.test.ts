import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
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

test('a process that ends before its last piece is an error for the one who reads, not a wait', async () => {
  const dies = new URL('./no-such-module.ts', import.meta.url)
  await assert.rejects(async () => {
    for await (const piece of piecesOf(dies, new Uint8Array())) assert.fail(String(piece))
  }, /ended early/)
})

interface Told {
  rank: number
  session: string
}

test('whoever has no configuration yet reads its first one at once, later ones come after the calls', async () => {
  const module = new URL('./tell-priority.ts', import.meta.url)
  const told: Told[] = []
  for (const urgent of [true, false])
    for await (const one of piecesOf<Told>(module, new Uint8Array(), [], { urgent })) told.push(one)
  const [urgent, calm] = told as [Told, Told]
  assert.equal(urgent.rank, getPriority())
  assert.ok(calm.rank > urgent.rank || getPriority() >= 10, `${urgent.rank} ${calm.rank}`)

  // /autogroup-123 nice 0: niceness counts within a session only
  if (!existsSync('/proc/self/autogroup')) return
  assert.notEqual(calm.session, readFileSync('/proc/self/autogroup', 'latin1').trim())
})
