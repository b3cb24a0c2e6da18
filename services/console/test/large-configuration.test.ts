/** A configuration of thousands of users and a list of numbers: the page and the API answer while it is looked at. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { largeBytes } from '@tandem/config/aside.ts'
import { RehearseConfiguration } from '@tandem/contracts/routing.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { workWatch } from '@tandem/testing/when-busy.ts'
import { type Console, startConsole } from '../src/service.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const prices = readFileSync(new URL('../../../examples/acme/rates/itsp-a.csv', import.meta.url), 'utf8')
const users = 600
const numbers = 20_000
const numberAt = (i: number) => `+4420${String(10_000_000 + i)}`

/** `owner` has the first of the numbers. */
function proposal(owner: string) {
  const people = Array.from(
    { length: users },
    (_, i) => `  u${i}: { site: hq, policy: staff, password: { env: P } }`,
  ).join('\n')
  const text = acme
    .replace(/\nusers:\n/, `\nusers:\n${people}\n`)
    .replace(/\nnumbers:[\s\S]*?\n(?=\S)/, '\n')
    .concat('\nnumbers:\n  - { file: numbers.csv }\n')
  const rows = Array.from({ length: numbers }, (_, i) => `${numberAt(i)},${i === 0 ? owner : `u${i % users}`}`)
  const decks = { 'rates/itsp-a.csv': prices, 'numbers.csv': ['number,user', ...rows].join('\n') }
  return { source: [{ path: 'tandem.yaml', text }], decks, why: `to ${owner}` }
}

const token = 'admin-token-admin-token'
let nats: PrivateNats
let served: Console
let api: string

before(async () => {
  nats = await startPrivateNats()
  const routing = await nats.bus('routing')
  routing.answer(RehearseConfiguration, () => ({ outcomes: [] }))
  await routing.flush()
  served = await startConsole({
    ...{ bus: await nats.bus('console'), log: createLogger({ service: 'console', level: 'silent' }) },
    ...{ host: '127.0.0.1', port: 0, openOnLoopback: false },
    tokens: [{ name: 'root', role: 'admin', sha256: createHash('sha256').update(token).digest('hex') }],
  })
  api = `http://127.0.0.1:${served.port}`
})
after(async () => {
  await served.stop()
  await nats.close()
})

async function call(path: string, body?: string) {
  const response = await fetch(`${api}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the tests assert
  return { status: response.status, body: (await response.json()) as any }
}

/** Health, until `done`: how long each answer took while this process worked, ms. */
async function healthUntil(done: Promise<unknown>): Promise<number[]> {
  const took: number[] = []
  let over = false
  void done.finally(() => {
    over = true
  })
  while (!over) {
    const asked = workWatch()
    assert.equal((await fetch(`${api}/healthz`)).status, 200)
    took.push(asked())
    await pause(5)
  }
  return took.sort((a, b) => a - b)
}

test('a large configuration is applied, listed, told of and rolled back while health answers', {
  timeout: 120_000,
}, async () => {
  const [first, second] = [JSON.stringify(proposal('alice')), JSON.stringify(proposal('bob'))]
  assert.ok(first.length > 2 * largeBytes)
  for (const [i, body] of [first, second].entries()) {
    const began = performance.now()
    const applying = call('/api/v1/config/apply', body)
    const took = await healthUntil(applying)
    const applied = await applying
    assert.equal(applied.status, 200, JSON.stringify(applied.body))
    assert.equal(applied.body.revision, i + 1)
    // read in this process it would have been silent for most of that time
    const whole = performance.now() - began
    assert.ok((took.at(-1) as number) < whole / 3, `${took.at(-1)} ms of ${whole} ms without an answer`)
    assert.ok(took.length > 20, `${took.length} answers`)
  }

  const running = await call('/api/v1/config')
  assert.equal(running.body.source[0].text, proposal('bob').source[0]?.text)
  assert.deepEqual(
    running.body.history.map(({ revision, why }: { revision: number; why: string }) => [revision, why]),
    [
      [2, 'to bob'],
      [1, 'to alice'],
    ],
  )
  const page = await call('/api/v1/numbers?startsWith=%2B442010000&limit=2')
  assert.equal(page.body.total, 1000)
  assert.deepEqual(
    page.body.numbers.map(({ number, user }: { number: string; user: string }) => [number, user]),
    [
      [numberAt(0), 'bob'],
      [numberAt(1), 'u1'],
    ],
  )
  const told = await call(`/api/v1/numbers/${encodeURIComponent(numberAt(0))}`)
  assert.deepEqual(
    told.body.changes.map(({ revision, user }: { revision: number; user: string }) => [revision, user]),
    [
      [2, 'bob'],
      [1, 'alice'],
    ],
  )
  const back = await call('/api/v1/config/rollback', JSON.stringify({ revision: 1, why: 'wrong' }))
  assert.deepEqual([back.status, back.body.revision, back.body.rollbackOf], [200, 3, 1])
  const written = await call('/api/v1/config/history/3')
  assert.deepEqual(written.body.decks, proposal('alice').decks)
  assert.equal(written.body.why, 'rollback to 1: wrong')
})
test('a large proposal that is wrong is refused as a small one is', async () => {
  const { source, decks } = proposal('alice')
  const [file] = source
  assert.ok(file)
  const wrong = { source: [{ ...file, text: file.text.replace('policy: staff', 'policy: stuff') }], decks }
  const refused = await call('/api/v1/config/plan', JSON.stringify(wrong))
  assert.equal(refused.status, 422)
  assert.match(JSON.stringify(refused.body.problems), /stuff/)
  const bad = await call('/api/v1/config/plan', JSON.stringify({ source: 7, decks }))
  assert.deepEqual([bad.status, /source/.test(bad.body.detail)], [400, true])
})
