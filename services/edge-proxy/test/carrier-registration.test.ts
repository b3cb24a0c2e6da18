import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { TrunkChanged, type TrunkState } from '@tandem/contracts/registration.ts'
import { makeRequest, makeResponse } from '@tandem/sip/message/make.ts'
import { parseStream } from '@tandem/sip/message/parse.ts'
import { callId, cseq } from '@tandem/sip/message/read.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { type PrivateNats, startPrivateNats } from '@tandem/testing/nats.ts'
import { bindingAnswer, readStun } from '../src/domain/stun.ts'
import type { Calls, Peer } from '../src/edge.ts'
import { type CarrierSide, carrierSide, eventually, type Got, registrar } from './carrier-side.ts'
import { noCalls, PASSWORDS, startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

const PASSWORD = PASSWORDS.ITSP_PASSWORD
let nats: PrivateNats
const told: TrunkState[] = []

before(async () => {
  nats = await startPrivateNats()
  const console = await nats.bus('console')
  console.hear(TrunkChanged, (b) => void told.push(b))
  await console.flush()
})
after(() => nats.close())

interface Started {
  edge: TestEdge
  invites: { peer: Peer; uri: string }[]
}

async function start(
  trunks: Record<string, object>,
  options: { node?: string; leaseMs?: number; tcp?: boolean } = {},
): Promise<Started> {
  const invites: Started['invites'] = []
  const createCalls = (): Calls => ({
    ...noCalls(),
    onInvite(transaction, _wire, peer) {
      invites.push({ peer, uri: transaction.request.uri })
      transaction.reply(486)
    },
  })
  const base = testConfiguration()
  const listen = { ...base.edge.listen, ...(options.tcp ? { 'carrier-tcp': { url: 'tcp://127.0.0.1:0' } } : {}) }
  const all = Object.entries(trunks).map(([name, t]) => [
    name,
    { listener: 'carrier', options: { interval: '1h' }, ...t },
  ])
  const edge = await startEdgeForTest({
    nats,
    createCalls,
    node: options.node ?? 'edge-test',
    trunkLeaseMs: options.leaseMs ?? 900,
    document: testConfiguration({ trunks: Object.fromEntries(all), edge: { ...base.edge, listen } }),
  })
  return { edge, invites }
}

const accepted = (side: CarrierSide): Got[] => side.of('REGISTER').filter((g) => g.request.headers.has('authorization'))
const trunkTo = (side: CarrierSide, register: object = {}, more: object = {}) => ({
  to: [`sip:127.0.0.1:${side.port}`],
  register: { registrar: `sip:127.0.0.1:${side.port}`, user: 'acme', password: { env: 'ITSP_PASSWORD' }, ...register },
  ...more,
})
const contactOf = (got: Got | undefined): string => got?.request.headers.get('contact') ?? ''

test('a registration is renewed before the time that the carrier granted ends, and stays one registration', async () => {
  const itsp = await carrierSide(registrar({ password: PASSWORD, grantS: 2 }))
  const { edge } = await start({ renewed: trunkTo(itsp) })
  await eventually('renewed three times', () => accepted(itsp).length >= 4)
  const all = itsp.of('REGISTER').map((g) => g.request)
  assert.equal(new Set(all.map(callId)).size, 1)
  const numbers = all.map((r) => cseq(r)?.sequence ?? 0)
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(all.map((r) => r.headers.get('contact'))).size, 1)
  const lost = told.filter((s) => s.trunk === 'renewed' && s.registered === false)
  const first = told.findIndex((s) => s.trunk === 'renewed' && s.registered)
  assert.ok(first >= 0)
  assert.deepEqual(
    lost.filter((s) => told.indexOf(s) > first),
    [],
    'never away in between',
  )
  await edge.close()
  assert.equal(itsp.of('REGISTER').at(-1)?.request.headers.get('expires'), '0')
  itsp.close()
})

test('RFC 6140 5.1: bulk registration, and calls to its contact reach the DID and their trunk without `from`', async () => {
  const itsp = await carrierSide(registrar({ password: PASSWORD }))
  const { edge, invites } = await start({ bulk: trunkTo(itsp, { bulk: true }) })
  await eventually('registered', () => edge.core.edge.trunks.health('bulk') !== 'down' && accepted(itsp).length > 0)
  const { request } = accepted(itsp)[0] as Got
  assert.match(request.headers.get('contact') ?? '', new RegExp(`^<sip:127\\.0\\.0\\.1:${edge.port('carrier')};bnc>`))
  assert.equal(request.headers.get('require'), 'gin')
  assert.equal(request.headers.get('proxy-require'), 'gin')
  assert.match(request.headers.get('supported') ?? '', /\bpath\b/)
  assert.match(request.headers.get('to') ?? '', /<sip:acme@127\.0\.0\.1>/)
  await eventually('told', () => told.some((s) => s.trunk === 'bulk' && s.registered === true))
  const call = (side: CarrierSide) =>
    side.send(
      makeRequest({
        method: 'INVITE',
        // RFC 6140 5.2: the contact with the number as its user part and without bnc
        uri: `sip:+14255551001@127.0.0.1:${edge.port('carrier')}`,
        via: `SIP/2.0/UDP 127.0.0.1:${side.port};branch=z9hG4bK${Math.random()}`,
        from: '<sip:+12065550100@itsp.example>;tag=a',
        to: '<sip:+14255551001@itsp.example>',
        callId: `in-${Math.random()}`,
        cseq: 1,
        contact: `<sip:127.0.0.1:${side.port}>`,
      }),
      edge.port('carrier'),
    )
  call(itsp)
  await eventually('the call came', () => invites.length === 1)
  assert.deepEqual(invites[0], {
    peer: { kind: 'trunk', trunk: 'bulk' },
    uri: `sip:+14255551001@127.0.0.1:${edge.port('carrier')}`,
  })
  await edge.close()
  itsp.close()
})

test('an outbound proxy gets the REGISTER and the calls, with what lies behind it as Route and Request-URI', async () => {
  const proxy = await carrierSide(registrar({ password: PASSWORD }))
  const { edge } = await start({
    proxied: {
      to: ['sip:sbc.itsp.example'],
      outboundProxy: `sip:127.0.0.1:${proxy.port}`,
      register: { registrar: 'sip:itsp.example', user: 'acme', password: { env: 'ITSP_PASSWORD' } },
    },
  })
  await eventually('registered', () => told.some((s) => s.trunk === 'proxied' && s.registered === true))
  const [got] = accepted(proxy)
  assert.equal(got?.request.uri, 'sip:itsp.example')
  assert.equal(got?.request.headers.get('route'), `<sip:127.0.0.1:${proxy.port};lr>`)
  await eventually('asked', () => proxy.of('OPTIONS').length > 0)
  assert.equal(proxy.of('OPTIONS')[0]?.request.uri, 'sip:sbc.itsp.example')
  const [path] = await edge.core.edge.trunks.paths('proxied')
  assert.equal(path?.wire.remotePort, proxy.port)
  assert.equal(path?.host, 'sbc.itsp.example')
  assert.deepEqual(path?.routes, [`<sip:127.0.0.1:${proxy.port};lr>`])
  await edge.close()
  proxy.close()
})

test('RFC 3608 5: calls follow the Service-Route, over the flow that was registered', async () => {
  const away = await carrierSide()
  const route = '<sip:core.itsp.example;lr>'
  const itsp = await carrierSide(registrar({ password: PASSWORD, headers: () => [['Service-Route', route]] }))
  const { edge } = await start({ served: { ...trunkTo(itsp), to: [`sip:127.0.0.1:${away.port}`] } })
  await eventually('registered', () => told.some((s) => s.trunk === 'served' && s.registered === true))
  const [path] = await edge.core.edge.trunks.paths('served', 'call-1')
  assert.equal(path?.wire.remotePort, itsp.port)
  assert.deepEqual(path?.routes, [route])
  await edge.close()
  itsp.close()
  away.close()
})

test('each edge registers as a flow of one instance, and its calls leave through itself', async () => {
  const itsp = await carrierSide(registrar({ password: PASSWORD }))
  const trunks = { both: trunkTo(itsp, { bulk: true }) }
  const one = await start(trunks, { node: 'edge-1' })
  const two = await start(trunks, { node: 'edge-2' })
  await eventually('both registered', () => new Set(accepted(itsp).map((g) => g.from.port)).size === 2)
  const of = (s: Started) => contactOf(accepted(itsp).find((g) => g.from.port === s.edge.port('carrier')))
  const instance = (contact: string) => /\+sip\.instance="(<urn:uuid:[0-9a-f-]{36}>)"/.exec(contact)?.[1]
  const regId = (contact: string) => /;reg-id=(\d+)/.exec(contact)?.[1]
  assert.ok(instance(of(one)))
  assert.equal(instance(of(one)), instance(of(two)))
  assert.notEqual(regId(of(one)), regId(of(two)))
  for (const s of [one, two]) {
    const [path] = await s.edge.core.edge.trunks.paths('both')
    assert.equal(path?.wire.localPort, s.edge.port('carrier'))
  }
  await one.edge.close()
  await two.edge.close()
  itsp.close()
})

test('nodes: one: a single edge registers, the others send no calls there but calls for help, and one takes over', async () => {
  const itsp = await carrierSide(registrar({ password: PASSWORD }))
  const trunks = { single: trunkTo(itsp, { nodes: 'one' }) }
  const one = await start(trunks, { node: 'edge-1' })
  await eventually('the first registered', () => accepted(itsp).length === 1)
  const two = await start(trunks, { node: 'edge-2' })
  await new Promise((done) => setTimeout(done, 1_200))
  assert.deepEqual([...new Set(accepted(itsp).map((g) => g.from.port))], [one.edge.port('carrier')])
  await assert.rejects(
    two.edge.core.edge.trunks.paths('single', 'c1'),
    /trunk single is registered by edge-1, not here/,
  )
  assert.equal((await two.edge.core.edge.trunks.paths('single', 'c2', true)).length, 1)
  assert.equal((await one.edge.core.edge.trunks.paths('single', 'c3')).length, 1)
  await one.edge.close()
  await eventually('the second registers', () => accepted(itsp).some((g) => g.from.port === two.edge.port('carrier')))
  await eventually('and carries calls', () => two.edge.core.edge.trunks.health('single') !== 'down')
  assert.equal((await two.edge.core.edge.trunks.paths('single', 'c4')).length, 1)
  await two.edge.close()
  itsp.close()
})

test('a carrier that says no is left in peace, one that says when is asked then, 423 and 439 are mended at once', async () => {
  let refusals: [number, [string, string][]][] = [
    [423, [['Min-Expires', '1800']]],
    [439, []],
    [503, [['Retry-After', '1']]],
    [403, []],
  ]
  const itsp = await carrierSide((got) => {
    if (got.request.method !== 'REGISTER') return got.reply(200)
    const [status, headers] = refusals.shift() ?? [403, []]
    got.reply(status, headers)
  })
  const { edge } = await start({ refused: trunkTo(itsp) })
  await eventually('four were asked', () => itsp.of('REGISTER').length === 4)
  const [first, second, third] = itsp.of('REGISTER')
  assert.equal(first?.request.headers.get('expires'), '600')
  assert.equal(second?.request.headers.get('expires'), '1800')
  assert.match(contactOf(second), /reg-id/)
  assert.doesNotMatch(contactOf(third), /reg-id/)
  await new Promise((done) => setTimeout(done, 1_500))
  assert.equal(itsp.of('REGISTER').length, 4, 'after a 403 not again for half a minute at least')
  refusals = []
  await edge.close()
  itsp.close()
})

test('RFC 5626 4.4.2: a registered UDP flow is kept alive by STUN, and made anew when its mapped address changes', async () => {
  let mapped = 40_000
  const itsp = await carrierSide(
    registrar({
      password: PASSWORD,
      headers: () => [
        ['Require', 'outbound'],
        ['Flow-Timer', '1'],
      ],
    }),
  )
  itsp.socket.on('message', (bytes, from) => {
    const stun = readStun(bytes)
    if (stun) itsp.send(bindingAnswer(stun, '192.0.2.7', mapped), from.port)
  })
  const { edge } = await start({ flow: trunkTo(itsp) })
  await eventually('two pings', () => itsp.other.filter((o) => readStun(o.bytes)).length >= 2)
  assert.equal(accepted(itsp).length, 1)
  mapped++
  await eventually('registered again', () => accepted(itsp).length >= 2)
  await edge.close()
  itsp.close()
})

test('RFC 5626 4.4.1: a registered TCP flow is pinged by CRLF, and registered again as soon as it breaks', async () => {
  const sockets: Socket[] = []
  let pings = 0
  let registers = 0
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    let rest = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      for (;;) {
        const outcome = rest.length === 0 ? undefined : parseStream(rest)
        if (outcome === undefined || outcome.kind === 'more' || outcome.kind === 'close') break
        rest = rest.subarray(outcome.length)
        if (outcome.kind === 'keep-alive' && outcome.ping) {
          pings++
          socket.write('\r\n')
        }
        if (outcome.kind !== 'message' || outcome.message.kind !== 'request') continue
        const { message } = outcome
        if (message.method === 'REGISTER') registers++
        const headers: [string, string][] = [
          ['Contact', `${message.headers.get('contact')};expires=600`],
          ['Require', 'outbound'],
          ['Flow-Timer', '1'],
        ]
        const answer = makeResponse(message, 200, { toTag: 'x', headers: message.method === 'REGISTER' ? headers : [] })
        socket.write(writeMessage(answer))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const { edge } = await start(
    {
      stream: {
        to: [`sip:127.0.0.1:${port};transport=tcp`],
        register: {
          registrar: `sip:127.0.0.1:${port};transport=tcp`,
          user: 'acme',
          password: { env: 'ITSP_PASSWORD' },
        },
      },
    },
    { tcp: true },
  )
  await eventually('two pings', () => pings >= 2)
  assert.equal(registers, 1)
  const [path] = await edge.core.edge.trunks.paths('stream')
  assert.equal(path?.wire.transport, 'TCP')
  assert.equal(sockets.length, 1, 'OPTIONS, REGISTER and calls share one connection (RFC 3261 18)')
  sockets[0]?.destroy()
  await eventually('registered again', () => registers === 2)
  await edge.close()
  for (const socket of sockets) socket.destroy()
  server.close()
})
