import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CONFIG_BUCKET, CONFIG_KEY, writeRevision } from '@tandem/config/revision.ts'
import { Drain, EdgeStatus } from '@tandem/contracts/edge.ts'
import { startHealth } from '@tandem/observability/health.ts'
import { createLogger } from '@tandem/observability/log.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { stringify } from 'yaml'
import { connectLate } from '../src/adapters/late-bus.ts'
import { type EdgeService, startEdge } from '../src/service.ts'
import { rawPeer, registerUser, requestOf } from './raw-peer.ts'
import { noCalls, PASSWORDS, testConfiguration } from './start-edge.ts'

let nats: PrivateNats
let folder: string
const opened: (() => Promise<void>)[] = []

before(async () => {
  nats = await startPrivateNats()
  folder = await mkdtemp(join(tmpdir(), 'tandem-edge-'))
})
after(async () => {
  for (const close of opened.reverse()) await close()
  await nats.close()
  await rm(folder, { recursive: true, force: true })
})

function documentOn(port: number, more: object = {}): object {
  const document = testConfiguration()
  return {
    ...document,
    edge: { ...document.edge, listen: { inside: { url: `udp://127.0.0.1:${port}` } } },
    routes: [{ name: 'all', match: '^\\+', usages: ['national'], trunks: ['itsp-a'] }],
    trunks: {},
    emergency: { ...document.emergency, trunks: ['itsp-a'] },
    ...more,
  }
}

async function publish(revision: number, document: object): Promise<void> {
  const console = await nats.bus('console')
  const bucket = await console.bucket(CONFIG_BUCKET)
  const trunks = { 'itsp-a': { to: ['sip:127.0.0.1:9'], from: ['127.0.0.1:9'], listener: 'inside', emergency: true } }
  const text = stringify(JSON.parse(JSON.stringify({ ...document, trunks })))
  const at = new Date().toISOString()
  const source = [{ path: 'tandem.yaml', text }]
  await bucket.put(CONFIG_KEY, writeRevision({ revision, by: 'test', at, why: 'test', source, decks: {} }))
}

function start(): { edge: EdgeService; close: () => Promise<void> } {
  const password = nats.passwords['edge-proxy']
  const { bus, connected } = connectLate({ service: 'edge-proxy', url: nats.url, user: 'edge-proxy', password })
  const log = createLogger({ service: 'edge-proxy', level: process.env.LOG_LEVEL ?? 'silent' })
  const env = { ...PASSWORDS, TANDEM_DATA: folder }
  const edge = startEdge({ bus, connected, log, env, dataFolder: folder, node: 'edge-1', createCalls: noCalls })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await edge.stop()
    await bus.close()
  }
  opened.push(close)
  return { edge, close }
}

test('the edge waits for its configuration, follows it without closing sockets, answers for itself and starts without NATS', async () => {
  const [first, second] = [await steadyPort(), await steadyPort()]
  const { edge, close } = start()
  assert.equal(edge.ready(), 'no configuration yet')
  await publish(1, documentOn(first))
  await edge.started
  assert.equal(edge.ready(), undefined)

  const phone = await rawPeer('UDP', { port: first })
  assert.equal((await registerUser(phone, 'alice', PASSWORDS.ALICE_PASSWORD)).status, 200)
  const socket = edge.core()?.listeners()[0]

  const both = documentOn(first) as { edge: { listen: object } }
  Object.assign(both.edge.listen, { more: { url: `udp://127.0.0.1:${second}` } })
  await publish(2, both)
  for (let i = 0; i < 1500 && edge.core()?.edge.revision() !== 2; i++) await pause(10)
  for (let i = 0; i < 1500 && edge.core()?.listeners().length !== 2; i++) await pause(10)
  assert.equal(edge.core()?.listeners()[0], socket, 'an unchanged listener keeps its socket')
  const other = await rawPeer('UDP', { port: second })
  assert.equal((await other.ask(requestOf(other, 'OPTIONS'))).status, 200)

  const console = await nats.bus('console')
  const status = await console.ask(EdgeStatus, {})
  assert.equal(status.kind, 'answer')
  assert.deepEqual(
    status.kind === 'answer' && {
      registrations: status.answer.registrations,
      revision: status.answer.revision,
      edge: status.answer.edge,
    },
    { registrations: 1, revision: 2, edge: 'edge-1' },
  )

  const health = await startHealth({ service: 'edge-proxy', ready: () => edge.ready() })
  const metrics = await (await fetch(`http://127.0.0.1:${health.port}/metrics`)).text()
  await health.close()
  for (const line of [
    /^tandem_edge_registrations 1$/m,
    /^tandem_edge_connections\{listener="more"\} 1$/m,
    /^tandem_edge_sip_total\{what="serverTransactions"\} \d+$/m,
    /^tandem_edge_trunk_up\{trunk="itsp-a"\} /m,
  ]) {
    assert.match(metrics, line)
  }

  assert.equal((await console.ask(Drain, { draining: true })).kind, 'answer')
  assert.equal(edge.ready(), 'draining')
  const refused = await phone.ask(requestOf(phone, 'INVITE', { uri: 'sip:1002@acme.example' }))
  assert.equal(refused.status, 503)
  assert.ok(refused.headers.get('retry-after'))
  const urgent = await phone.ask(requestOf(phone, 'INVITE', { uri: 'sip:911@acme.example' }))
  assert.equal(urgent.status, 501, 'an emergency call passes')
  await console.ask(Drain, { draining: false })
  await close()

  const kept = join(folder, 'edge', 'configuration.json')
  assert.match(await readFile(kept, 'utf8'), /"revision":2/)
  assert.equal((await stat(kept)).mode & 0o077, 0)

  await nats.crash()
  const again = start()
  await again.edge.started
  assert.equal(again.edge.ready(), 'not connected to NATS')
  const [kept1] = again.edge.core()?.edge.bindings.of('alice') ?? []
  assert.equal(kept1?.wire()?.remotePort, phone.port, 'the phone is reached without having registered again')
  const known = await phone.ask(requestOf(phone, 'INVITE', { uri: 'sip:1002@acme.example' }))
  assert.equal(known.status, 501, 'and it is still known by its flow')
  assert.equal((await registerUser(phone, 'alice', PASSWORDS.ALICE_PASSWORD)).status, 200)
  await nats.start()
  for (let i = 0; i < 750 && again.edge.ready() !== undefined; i++) await pause(20)
  assert.equal(again.edge.ready(), undefined)
  await again.close()
  phone.close()
  other.close()
})

test('a listener that cannot be opened stops the start', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => taken.once('listening', done))
  const { port } = taken.address() as { port: number }
  const document = documentOn(port) as { edge: { listen: Record<string, unknown> } }
  document.edge.listen = { inside: { url: `tcp://127.0.0.1:${port}` } }
  await publish(3, document)
  const { edge, close } = start()
  await assert.rejects(edge.started, /listener inside \(tcp:.*the port is in use/)
  await close()
  await new Promise((done) => taken.close(done))
})

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
