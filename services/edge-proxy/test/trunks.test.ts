import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TrunkChanged, type TrunkState } from '@tandem/contracts/registration.ts'
import { SecurityRefused } from '@tandem/contracts/security.ts'
import { challenge, verify } from '@tandem/sip/auth/digest.ts'
import type { SipRequest } from '@tandem/sip/message/message.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import type { Calls, Peer } from '../src/edge.ts'
import { isRequest, type RawPeer, rawPeer, requestOf } from './raw-peer.ts'
import { noCalls, PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let nats: PrivateNats
let edge: TestEdge
let carrier: RawPeer
let registrar: RawPeer
const changes: TrunkState[] = []
const refusals: string[] = []
const peers: Peer[] = []
const registers: SipRequest[] = []

const calls = (): Calls => ({
  ...noCalls(),
  onInvite(transaction, _wire, peer) {
    peers.push(peer)
    transaction.reply(486)
  },
})

before(async () => {
  nats = await startPrivateNats()
  const console = await nats.bus('console')
  console.hear(TrunkChanged, (b) => void changes.push(b))
  console.hear(SecurityRefused, (b) => void refusals.push(b.why))
  await console.flush()
  carrier = await rawPeer('UDP', { port: 9 })
  registrar = await rawPeer('UDP', { port: 9 })
  serveOptions(carrier, () => 404)
  serveOptions(registrar, () => 200)
  serveRegister(registrar)
  const options = { interval: '200ms', up: 1, down: 2 }
  edge = await startEdgeForTest({
    nats,
    createCalls: calls,
    document: testConfiguration({
      trunks: {
        'itsp-a': {
          to: [`sip:127.0.0.1:${carrier.port}`],
          from: [`127.0.0.1:${carrier.port}`],
          listener: 'carrier',
          options,
          emergency: true,
        },
        'itsp-b': {
          to: [`sip:127.0.0.1:${registrar.port}`],
          from: [`127.0.0.1:${registrar.port}`],
          listener: 'carrier',
          options,
          register: { registrar: `sip:127.0.0.1:${registrar.port}`, user: 'acme', password: { env: 'ITSP_PASSWORD' } },
        },
        silent: {
          to: ['sip:127.0.0.1:9'],
          from: ['127.0.0.77'],
          listener: 'carrier',
          options: { interval: '1s', down: 1 },
        },
        'one-of-two': { to: ['sip:127.0.0.1:9'], from: ['127.0.0.88'], listener: 'carrier' },
        'other-of-two': { to: ['sip:127.0.0.1:9'], from: ['127.0.0.88'], listener: 'carrier' },
      },
    }),
  })
})
after(async () => {
  await edge.close()
  assert.equal(registers.at(-1)?.headers.get('expires'), '0', 'unregistered at the stop')
  carrier.close()
  registrar.close()
  await nats.close()
})

/** Answers every OPTIONS until the end of the test. */
function serveOptions(peer: RawPeer, status: () => number): void {
  peer.next(isRequest('OPTIONS'), 60_000).then(
    (request) => {
      peer.reply(request, status())
      serveOptions(peer, status)
    },
    () => {},
  )
}

/** A small registrar: digest with SHA-256, and not more than 20 s. */
function serveRegister(peer: RawPeer): void {
  peer.next(isRequest('REGISTER'), 60_000).then(
    (request) => {
      registers.push(request)
      const authorization = request.headers.get('authorization')
      const proof =
        authorization &&
        verify({
          authorization,
          method: 'REGISTER',
          realm: 'itsp.example',
          secret: { password: PASSWORDS.ITSP_PASSWORD },
          uri: request.uri,
          checkNonce: (nonce) => (nonce === 'fresh' ? 'fresh' : 'foreign'),
        }).kind
      if (proof === 'ok') {
        const contact = `${request.headers.get('contact')};expires=20`
        peer.reply(request, 200, request.headers.get('expires') === '0' ? [] : [['Contact', contact]])
      } else {
        const asked = challenge({ realm: 'itsp.example', nonce: 'fresh', algorithms: ['SHA-256', 'MD5'] })
        peer.reply(
          request,
          401,
          asked.map((c) => ['WWW-Authenticate', c]),
        )
      }
      serveRegister(peer)
    },
    () => {},
  )
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 750 && !holds(); i++) await new Promise((done) => setTimeout(done, 20))
  assert.ok(holds(), what)
}

test('any final response to OPTIONS proves a trunk, silence does not', async () => {
  const { trunks } = edge.core.edge
  await eventually('itsp-a up', () => trunks.health('itsp-a') === 'up')
  await eventually('told', () =>
    changes.some((c) => c.trunk === 'itsp-a' && c.health === 'up' && c.roundTripMs !== undefined),
  )
  await eventually('silent down', () => trunks.health('silent') === 'down')
})

test('a trunk registers with digest, takes the time that was granted, and says so', async () => {
  await eventually('registered', () => changes.some((c) => c.trunk === 'itsp-b' && c.registered === true))
  const said = changes.find((c) => c.trunk === 'itsp-b' && c.registered)
  const left = Date.parse(said?.registeredUntil ?? '') - Date.now()
  assert.ok(left > 5_000 && left <= 20_000, `granted 20 s, left ${left} ms`)
  const [first, second] = registers
  assert.equal(first?.uri, `sip:127.0.0.1:${registrar.port}`)
  assert.match(first?.headers.get('to') ?? '', /<sip:acme@127\.0\.0\.1>/)
  assert.equal(first?.headers.get('call-id'), second?.headers.get('call-id'))
  assert.match(second?.headers.get('authorization') ?? '', /algorithm=SHA-256/)
})

test('a trunk gives its addresses and its credentials', async () => {
  const { trunks } = edge.core.edge
  const [path] = await trunks.paths('itsp-a')
  assert.equal(path?.host, `127.0.0.1:${carrier.port}`)
  assert.equal(path?.wire.localPort, edge.port('carrier'))
  assert.deepEqual(trunks.credentials('itsp-b'), { user: 'acme', password: PASSWORDS.ITSP_PASSWORD })
  assert.equal(trunks.credentials('itsp-a'), undefined)
  await assert.rejects(trunks.paths('nowhere'), /no trunk nowhere/)
})

test('an INVITE from the address of a trunk is of that trunk, one from elsewhere is refused', async () => {
  const invite = (peer: RawPeer) => requestOf(peer, 'INVITE', { uri: 'sip:+14255551001@127.0.0.1' })
  const to = { port: edge.port('carrier') }
  const carrierAsCaller = await rawPeer('UDP', to, { from: '127.0.0.77' })
  assert.equal((await carrierAsCaller.ask(invite(carrierAsCaller))).status, 486)
  assert.deepEqual(peers.at(-1), { kind: 'trunk', trunk: 'silent' })
  const stranger = await rawPeer('UDP', to, { from: '127.0.0.99' })
  const forged = invite(stranger)
  forged.headers.append('X-Forwarded-For', '127.0.0.77')
  assert.equal(
    (await stranger.ask(forged, { via: `SIP/2.0/UDP 127.0.0.77:5060;branch=z9hG4bKforged${stranger.port};rport` }))
      .status,
    403,
  )
  const between = await rawPeer('UDP', to, { from: '127.0.0.88' })
  assert.equal((await between.ask(invite(between))).status, 403)
  await eventually('told', () => refusals.includes('ambiguous trunk: one-of-two, other-of-two'))
  for (const peer of [carrierAsCaller, stranger, between]) peer.close()
})

test('a trunk whose carrier falls silent goes down after its threshold, and comes back', async () => {
  let answers = true
  const moody = await rawPeer('UDP', { port: 9 })
  const serve = () => {
    moody.next(isRequest('OPTIONS'), 60_000).then(
      (request) => {
        if (answers) moody.reply(request, 200)
        serve()
      },
      () => {},
    )
  }
  serve()
  const document = testConfiguration({
    trunks: {
      moody: {
        to: [`sip:127.0.0.1:${moody.port}`],
        from: ['127.0.0.66'],
        listener: 'carrier',
        options: { interval: '100ms', down: 1 },
      },
    },
  })
  const other = await startEdgeForTest({ nats, document, node: 'edge-moody' })
  const { trunks } = other.core.edge
  await eventually('up', () => trunks.health('moody') === 'up')
  answers = false
  await eventually('down', () => trunks.health('moody') === 'down')
  answers = true
  await eventually('up again', () => trunks.health('moody') === 'up')
  await other.close()
  moody.close()
})
