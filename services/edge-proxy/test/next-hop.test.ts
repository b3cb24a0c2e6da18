import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipUri } from '@tandem/sip/message/message.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import { startPrivateNats } from '@tandem/testing/nats.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { whenBusy } from '@tandem/testing/when-busy.ts'
import { createNameResolver } from '../src/adapters/name-resolver.ts'
import { hostHops, inSrvOrder, type SrvRecord } from '../src/domain/next-hop.ts'
import type { Wire } from '../src/edge.ts'
import { carrierSide, eventually, ok } from './carrier-side.ts'
import { startNameServer, type TestNames } from './dns-server.ts'
import { startEdgeForTest, type TestEdge, testConfiguration } from './start-edge.ts'

let names: TestNames
let edge: TestEdge

before(async () => {
  names = await startNameServer()
  const srv = (priority: number, weight: number, port: number, target: string) =>
    ({ type: 'SRV', name: 'x', ttl: 1, data: { priority, weight, port, target } }) as const
  const a = (address: string, ttl = 1) => ({ type: 'A', name: 'x', ttl, data: address }) as const
  const naptr = (order: number, services: string, replacement: string) =>
    ({
      type: 'NAPTR',
      name: 'x',
      ttl: 1,
      data: { order, preference: 1, flags: 's', services, regexp: '', replacement },
    }) as const
  const zone: [string, ReturnType<typeof srv | typeof a | typeof naptr>[]][] = [
    ['NAPTR both.example', [naptr(20, 'SIP+D2T', '_sip._tcp.both.example'), naptr(10, 'SIP+D2U', 'u.both.example')]],
    ['SRV u.both.example', [srv(2, 0, 5082, 'b.example'), srv(1, 0, 5081, 'a.example')]],
    ['SRV _sip._udp.only-srv.example', [srv(1, 1, 5090, 'a.example')]],
    ['A a.example', [a('127.0.0.41')]],
    ['A b.example', [a('127.0.0.42'), a('127.0.0.43')]],
    ['A lasting.example', [a('127.0.0.44', 300)]],
  ]
  for (const [key, answers] of zone) {
    const name = key.slice(key.indexOf(' ') + 1)
    names.zone.set(
      key,
      answers.map((answer) => ({ ...answer, name })),
    )
  }
  const document = testConfiguration({
    trunks: {
      far: { to: ['sip:both.example'], from: ['127.0.0.41'], listener: 'carrier' },
      plain: { to: ['sip:127.0.0.9'], from: ['127.0.0.9'], listener: 'carrier' },
    },
  })
  edge = await startEdgeForTest({ document: { ...document, edge: { ...document.edge, dns: [names.server] } } })
})
after(async () => {
  await edge.close()
  names.close()
})

const uri = (text: string) => parseUri(text) as SipUri
const wires = async (text: string) =>
  (await edge.core.edge.wires.toUri('carrier', uri(text))).map(
    (w) => `${w.transport} ${w.remoteAddress}:${w.remotePort}`,
  )

test('RFC 3263 4.1, 4.2: NAPTR by order, SRV by priority, all their addresses', async () => {
  assert.deepEqual(await wires('sip:both.example'), [
    'UDP 127.0.0.41:5081',
    'UDP 127.0.0.42:5082',
    'UDP 127.0.0.43:5082',
  ])
  const paths = await edge.core.edge.trunks.paths('far', 'one call')
  assert.deepEqual(
    paths.map((p) => p.wire.remoteAddress),
    ['127.0.0.41', '127.0.0.42', '127.0.0.43'],
  )
  assert.equal(paths[0]?.host, 'both.example')
})

test('RFC 3263: without NAPTR SRV is asked, without SRV the name itself', async () => {
  assert.deepEqual(await wires('sip:only-srv.example'), ['UDP 127.0.0.41:5090'])
  assert.deepEqual(await wires('sip:a.example'), ['UDP 127.0.0.41:5060'])
  await assert.rejects(wires('sip:nobody.example'), /nobody\.example: no IPv4 address/)
})

test('RFC 3263 4.2: a port or an address needs no SRV', async () => {
  names.asked.length = 0
  assert.deepEqual(await wires('sip:b.example:5070'), ['UDP 127.0.0.42:5070', 'UDP 127.0.0.43:5070'])
  assert.deepEqual(await wires('sip:127.0.0.50'), ['UDP 127.0.0.50:5060'])
  assert.deepEqual(
    names.asked.filter((a) => !a.startsWith('A ')),
    [],
  )
})

test('answers are kept for their TTL, and go on being used while DNS is silent', async () => {
  let ms = 0
  const resolver = createNameResolver({ now: () => ms })
  resolver.use([names.server])
  const asked = () => names.asked.filter((a) => a === 'A lasting.example').length
  const before = asked()
  assert.deepEqual(await resolver.addresses('lasting.example', 4), ['127.0.0.44'])
  ms = 299_000
  await resolver.addresses('lasting.example', 4)
  assert.equal(asked() - before, 1)
  ms = 301_000
  await resolver.addresses('lasting.example', 4)
  assert.equal(asked() - before, 2)
  names.away = true
  ms = 1_000_000
  const started = performance.now()
  assert.deepEqual(await resolver.addresses('lasting.example', 4), ['127.0.0.44'])
  assert.ok(performance.now() - started < whenBusy(1000), 'the first question waits a bounded time')
  const again = performance.now()
  assert.deepEqual(await resolver.addresses('lasting.example', 4), ['127.0.0.44'])
  assert.ok(performance.now() - again < whenBusy(200), 'the next ones do not wait')
  await assert.rejects(resolver.addresses('never-heard.example', 4))
  names.away = false
  resolver.close()
})

test('RFC 2782: of one priority the heavier is drawn first in proportion to its weight', () => {
  const record = (name: string, priority: number, weight: number): SrvRecord => ({ name, port: 1, priority, weight })
  const records = [record('light', 1, 10), record('heavy', 1, 30), record('later', 2, 100)]
  const first = { light: 0, heavy: 0, later: 0 }
  for (let i = 0; i < 1000; i++) {
    const order = inSrvOrder(records, () => (i + 0.5) / 1000).map((r) => r.name)
    assert.equal(order.length, 3)
    assert.equal(order[2], 'later')
    first[order[0] as keyof typeof first]++
  }
  assert.deepEqual(first, { light: 250, heavy: 750, later: 0 })
})

test('RFC 3263 4.1: NAPTR services that cannot be spoken here are passed over; a lone "." is no service', async () => {
  const asked: string[] = []
  const parts = {
    names: {
      naptr: async () => [
        { flags: 's', service: 'SIPS+D2T', replacement: 'tls.x', order: 1, preference: 1 },
        { flags: 's', service: 'SIP+D2T', replacement: 'tcp.x', order: 2, preference: 1 },
      ],
      srv: async (name: string) => {
        asked.push(name)
        return name === 'tcp.x' ? [{ name: 'h.x', port: 5064, priority: 1, weight: 1 }] : []
      },
    },
    supported: ['UDP', 'TCP'] as const,
    random: () => 0,
  }
  assert.deepEqual(await hostHops(uri('sip:x'), 'x', parts), [{ transport: 'TCP', host: 'h.x', port: 5064 }])
  assert.deepEqual(asked, ['tcp.x'])
  const none = { ...parts, names: { naptr: async () => [], srv: async () => [] } }
  assert.deepEqual(await hostHops(uri('sips:x'), 'x', none), [{ transport: 'TLS', host: 'x', port: 5061 }])
})

test('RFC 2782: by a real name server, by TCP where the answer is too long: calls are spread by weight within a priority', async () => {
  const owner = '_sip._udp.spread.example'
  const target = (i: number) => `a-carrier-with-a-long-name-number-${i}.spread.example`
  const record = (i: number, priority: number, weight: number) =>
    ({ type: 'SRV', name: owner, ttl: 60, data: { priority, weight, port: 5060 + i, target: target(i) } }) as const
  const weights = [40, 30, 20, 10, 0, 0, 0, 0, 0, 0, 0, 0]
  const records = weights.map((w, i) => record(i, i < 4 ? 1 : 2, w))
  names.zone.set(`SRV ${owner}`, records)
  for (const i of weights.keys()) {
    names.zone.set(`A ${target(i)}`, [{ type: 'A', name: target(i), ttl: 60, data: `127.0.0.${60 + i}` }])
  }
  const first = new Map<number, number>()
  const draws = 600
  for (let i = 0; i < draws; i++) {
    const ports = (await edge.core.edge.wires.toUri('carrier', uri('sip:spread.example'))).map((w) => w.remotePort)
    assert.ok(
      ports.slice(0, 4).every((p) => p < 5064),
      'the lower priority number first',
    )
    first.set(ports[0] as number, (first.get(ports[0] as number) ?? 0) + 1)
  }
  assert.ok(names.byTcp.includes(`SRV ${owner}`), 'the answer did not fit into a datagram')
  for (const [i, weight] of [40, 30, 20, 10].entries()) {
    const share = (first.get(5060 + i) ?? 0) / draws
    // five standard deviations
    assert.ok(Math.abs(share - weight / 100) < 0.1, `weight ${weight}: ${share}`)
  }
})

test('RFC 3263 4.2: a listener of IPv6 reaches the AAAA addresses, and says its own in brackets', async () => {
  const carrier = await carrierSide(ok, '::1')
  const name = 'six.example'
  names.zone.set(`AAAA ${name}`, [{ type: 'AAAA', name, ttl: 60, data: '::1' }])
  names.zone.set(`A ${name}`, [{ type: 'A', name, ttl: 60, data: '127.0.0.41' }])
  const base = testConfiguration()
  const six = await startEdgeForTest({
    document: {
      ...base,
      edge: { ...base.edge, dns: [names.server], listen: { ...base.edge.listen, six: { url: 'udp://[::1]:0' } } },
      trunks: {
        six: { to: [`sip:${name}:${carrier.port}`, `sip:[::1]:${carrier.port}`], from: ['::1'], listener: 'six' },
      },
    },
  })
  await eventually('the carrier was asked', () => carrier.of('OPTIONS').length >= 2)
  await eventually('and is up', () => six.core.edge.trunks.health('six') === 'up')
  const port = six.port('six')
  for (const { request } of carrier.of('OPTIONS')) {
    assert.ok(request.headers.get('via')?.includes(`UDP [::1]:${port}`), request.headers.get('via'))
    assert.equal(request.headers.get('contact'), `<sip:[::1]:${port}>`)
  }
  const paths = await six.core.edge.trunks.paths('six', 'one')
  assert.deepEqual(
    paths.map((p) => [p.wire.remoteAddress, p.host]),
    [
      ['::1', `${name}:${carrier.port}`],
      ['::1', `[::1]:${carrier.port}`],
    ],
  )
  await six.close()
  carrier.close()
})

test('RFC 3261 18.4: nobody at the port (ICMP): a request fails at once, one of a dialog or for help is repeated', async () => {
  const carrier = await carrierSide(ok, '127.0.0.72')
  const name = 'two-hosts.example'
  const a = (data: string) => ({ type: 'A', name, ttl: 60, data }) as const
  names.zone.set(`A ${name}`, [a('127.0.0.71'), a('127.0.0.72')])
  const base = testConfiguration()
  const lab = await startEdgeForTest({
    document: {
      ...base,
      edge: { ...base.edge, dns: [names.server] },
      trunks: { two: { to: [`sip:${name}:${carrier.port}`], from: ['127.0.0.72'], listener: 'carrier' } },
    },
  })
  await eventually('the address that answers proves the trunk', () => lab.core.edge.trunks.health('two') === 'up')
  const [dead, live] = await lab.core.edge.trunks.paths('two', 'call')
  assert.deepEqual([dead?.wire.remoteAddress, live?.wire.remoteAddress], ['127.0.0.71', '127.0.0.72'])
  const ask = (wire: Wire | undefined, user: string, ms: number, tag = '') =>
    new Promise<string>((done) => {
      const request = makeRequest({
        method: 'INVITE',
        uri: `sip:${user}@${name}`,
        from: '<sip:a@acme.example>;tag=a',
        to: `<sip:b@${name}>${tag}`,
        callId: `${Math.random()}`,
        cseq: 1,
      })
      const late = setTimeout(() => done('still trying'), ms)
      const end = (what: string) => {
        clearTimeout(late)
        done(what)
      }
      lab.core.edge.transactions.request(request, wire as Wire, {
        onResponse: (r) => end(String(r.status)),
        onTimeout: () => end('timeout'),
        onTransportError: () => end('failed at once'),
      })
    })
  const said = await Promise.all([
    // 64 T1 (32 s) would be a timeout
    ask(dead?.wire, '12065550100', 15_000),
    ask(live?.wire, '12065550100', 15_000),
    ask(dead?.wire, '12065550100', 2_000, ';tag=b'),
    ask(dead?.wire, '911', 2_000),
  ])
  assert.deepEqual(said, ['failed at once', '200', 'still trying', 'still trying'])
  assert.ok(
    carrier.got.every((g) => g.from.port === lab.port('carrier')),
    'all from the port of the listener',
  )
  await lab.close()
  carrier.close()
})

test('a port that another program holds is still said, and given back at the end', async () => {
  const base = testConfiguration()
  const port = await steadyPort()
  const listen = { inside: { url: `udp://127.0.0.1:${port}` } }
  const document = { ...base, trunks: {}, edge: { ...base.edge, listen } }
  const nats = await startPrivateNats()
  const first = await startEdgeForTest({ document, nats })
  await assert.rejects(startEdgeForTest({ document, nats }), /the port is in use/)
  await first.close()
  await (await startEdgeForTest({ document, nats })).close()
  await nats.close()
})
