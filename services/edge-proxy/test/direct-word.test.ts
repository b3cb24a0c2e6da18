/** docs/adr/0150: an edge says itself that it lives, to edges of its cluster and to nobody else. */
import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createDirectWord } from '../src/direct-word.ts'
import type { HopAddress } from '../src/domain/own-hop.ts'
import { type RawPeer, rawPeer, requestOf } from './raw-peer.ts'
import { startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let edge: TestEdge
let stranger: RawPeer
before(async () => {
  const document = testConfiguration()
  const cluster = { secret: { env: 'CLUSTER_SECRET' } }
  edge = await startEdgeForTest({
    document: { ...document, edge: { ...document.edge, cluster } },
    env: { CLUSTER_SECRET: 'of these edges' },
  })
  stranger = await rawPeer('UDP', { port: edge.port('inside') })
})
after(async () => {
  stranger?.close()
  await edge?.close()
})

const at = (transport: 'UDP' | 'TCP', port?: number): HopAddress => {
  const listener = transport === 'UDP' ? 'inside' : 'inside-tcp'
  return { listener, transport, address: '127.0.0.1', port: port ?? edge.port(listener) }
}

/** As another edge asks. */
const asker = (secret: string | undefined) => {
  const { clock, transactions, wires } = edge.core.edge
  const key = secret === undefined ? undefined : createSecretKey(Buffer.from(secret))
  return createDirectWord({ clock, transactions, wires, self: { edge: 'x', life: 'y' }, secret: () => key })
}

test('its own life is true over UDP and TCP; another life, another secret, none, and nobody there are not', async () => {
  const { self } = edge.core.edge.cluster
  const right = asker('of these edges')
  assert.deepEqual(await Promise.all([right.of(self, at('UDP')), right.of(self, at('TCP'))]), [true, true])
  const began = performance.now()
  const wrong = await Promise.all([
    right.of({ ...self, life: 'before' }, at('UDP')),
    right.of({ ...self, edge: 'edge-other' }, at('UDP')),
    asker('of others').of(self, at('UDP')),
    asker(undefined).of(self, at('UDP')),
    right.of(self, at('UDP', 9)),
    right.of(self, at('TCP', 9)),
    right.of(self, { ...at('UDP'), listener: 'none' }),
  ])
  assert.deepEqual(new Set(wrong), new Set([false]))
  assert.ok(performance.now() - began < 10_000, 'nobody is waited for')
})

test('a stranger who asks gets the OPTIONS of everybody, and no word', async () => {
  for (const user of [`alive.${'A'.repeat(16)}.${'A'.repeat(22)}`, 'alive.', 'alive.x.y']) {
    const answer = await stranger.ask(requestOf(stranger, 'OPTIONS', { uri: `sip:${user}@127.0.0.1` }))
    assert.equal(answer.status, 200)
    assert.ok(answer.headers.get('allow'))
    assert.equal(answer.headers.get('contact'), undefined)
  }
})
