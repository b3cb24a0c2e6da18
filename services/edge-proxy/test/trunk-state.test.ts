import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TrunkChanged, type TrunkState, trunkKey } from '@tandem/contracts/registration.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { type CarrierSide, carrierSide, eventually, ok } from './carrier-side.ts'
import { rawPeer, requestOf } from './raw-peer.ts'
import { startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let nats: PrivateNats
let carrier: CarrierSide
let first: TestEdge
let second: TestEdge
const told: TrunkState[] = []

before(async () => {
  nats = await startPrivateNats()
  const console = await nats.bus('console')
  console.hear(TrunkChanged, (b) => void told.push(b))
  await console.flush()
  carrier = await carrierSide()
  const trunk = {
    to: [`sip:127.0.0.1:${carrier.port}`],
    from: [`127.0.0.1:${carrier.port}`, '127.0.0.77'],
    listener: 'carrier',
    options: { interval: '150ms', up: 2, down: 2, alive: [200, 404] },
    emergency: true,
  }
  const document = testConfiguration({ trunks: { 'itsp-a': trunk } })
  first = await startEdgeForTest({ nats, document, node: 'edge-1', trunkLeaseMs: 900 })
  await eventually('the first edge asks', () => carrier.of('OPTIONS').length > 0)
  second = await startEdgeForTest({ nats, document, node: 'edge-2', trunkLeaseMs: 900 })
})
after(async () => {
  await second.close()
  carrier.close()
  await nats.close()
})

const health = (edge: TestEdge) => edge.core.edge.trunks.health('itsp-a')
const both = (state: string) => health(first) === state && health(second) === state
const askers = () => new Set(carrier.of('OPTIONS').map((g) => g.from.port))

test('one edge asks the carrier, and the other takes its word', async () => {
  await eventually('both up', () => both('up'))
  assert.deepEqual([...askers()], [first.port('carrier')])
  await eventually('the word of the edge that asks is told', () =>
    told.some((s) => s.edge === 'edge-1' && s.prober === true && s.health === 'up'),
  )
})

test('codes that the configuration does not count as alive are as good as silence, thresholds hold on both edges', async () => {
  carrier.serve = (got) => got.reply(503)
  await eventually('both down', () => both('down'))
  carrier.serve = (got) => got.reply(404)
  await eventually('both up again', () => both('up'))
  await eventually('told', () => told.some((s) => s.health === 'down'))
})

test('an operator drains a trunk on every edge, its carrier is told by OPTIONS, and undrains it', async () => {
  const bucket = await (await nats.bus('console')).bucket('trunk')
  await bucket.put(trunkKey('drain', 'itsp-a'), '{}')
  await eventually('both drained', () => both('drain'))
  await eventually('told', () => told.some((s) => s.edge === 'edge-2' && s.health === 'drain'))
  const peer = await rawPeer('UDP', { port: second.port('carrier') }, { from: '127.0.0.77' })
  const refused = await peer.ask(requestOf(peer, 'OPTIONS'))
  assert.equal(refused.status, 503)
  assert.ok(refused.headers.get('retry-after'))
  assert.equal(
    (await peer.ask(requestOf(peer, 'INVITE', { uri: 'sip:+14255551001@127.0.0.1' }))).status,
    501,
    'a call that comes all the same is not lost',
  )
  await bucket.remove(trunkKey('drain', 'itsp-a'))
  await eventually('both back', () => both('up'))
  assert.equal((await peer.ask(requestOf(peer, 'OPTIONS'))).status, 200)
  peer.close()
})

test('when the edge that asked stops, the other one takes over', async () => {
  const was = carrier.of('OPTIONS').length
  await first.close()
  await eventually('the second edge asks', () =>
    carrier
      .of('OPTIONS')
      .slice(was)
      .some((g) => g.from.port === second.port('carrier')),
  )
  assert.equal(health(second), 'up', 'what was known holds meanwhile')
})

test('an edge whose bus is away asks for itself', async () => {
  carrier.serve = ok
  const lonely = await startEdgeForTest({
    nats,
    node: 'edge-3',
    trunkLeaseMs: 900,
    document: testConfiguration({
      trunks: {
        'itsp-a': {
          to: [`sip:127.0.0.1:${carrier.port}`],
          from: ['127.0.0.1'],
          listener: 'carrier',
          options: { interval: '150ms' },
        },
      },
    }),
  })
  await nats.crash()
  await eventually('it asks', () => carrier.of('OPTIONS').some((g) => g.from.port === lonely.port('carrier')))
  await eventually('and knows', () => health(lonely) === 'up')
  await lonely.close()
  await nats.start()
})

test('an edge that cannot agree with others, as the bucket is not there, asks for itself', async () => {
  const bare = await startPrivateNats({ streams: false })
  const alone = await startEdgeForTest({
    nats: bare,
    trunkLeaseMs: 900,
    document: testConfiguration({
      trunks: { 'itsp-a': { to: [`sip:127.0.0.1:${carrier.port}`], from: ['127.0.0.1'], listener: 'carrier' } },
    }),
  })
  await eventually('it asks and knows', () => health(alone) === 'up')
  await alone.close()
  await bare.close()
})
