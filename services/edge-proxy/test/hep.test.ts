/** Captured messages to a collector by HEP3 (edge.md E14); Kamailio's sipcapture reads what the edge sends. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { CapturedMessage } from '@tandem/contracts/call.ts'
import { steadyPort } from '@tandem/testing/ports.ts'
import { hepPacket } from '../src/domain/hep.ts'
import { type CallEdge, plan, startCallEdge, toTrunk } from './call-edge.ts'
import { eventually } from './carrier-side.ts'

const program = ['/usr/sbin/kamailio', '/usr/bin/kamailio', '/usr/local/sbin/kamailio'].find((f) => existsSync(f))
const skip = program === undefined ? 'kamailio is not installed (Debian: kamailio)' : false
const PASSWORD = 'homer-secret'
const US = 1_767_323_045_678_901

const message: CapturedMessage = {
  ...{ callId: 'call-1', legId: 'leg-a', at: '2026-01-02T03:04:05.678Z', offsetUs: 0, direction: 'received' },
  ...{ peer: 'user:alice', transport: 'UDP', local: '192.0.2.1:5060', remote: '198.51.100.7:40112', text: 'OPTIONS' },
}

const noSngrep = ['sngrep', 'tshark'].every((name) => spawnSync(name, ['--version']).error === undefined)
  ? false
  : 'sngrep or tshark is not installed (Debian: sngrep, tshark)'

const sipText = (callId: string): string =>
  [
    ...['OPTIONS sip:x@example.com SIP/2.0', 'Via: SIP/2.0/UDP 192.0.2.7:40112;branch=z9hG4bK1', 'Max-Forwards: 70'],
    ...['From: <sip:a@b>;tag=1', 'To: <sip:c@d>', `Call-ID: ${callId}`, 'CSeq: 1 OPTIONS', 'Content-Length: 0', '', ''],
  ].join('\r\n')

/** Values by chunk type; fails on lengths that do not add up. */
function chunksOf(packet: Buffer): Map<number, Buffer> {
  assert.equal(packet.toString('latin1', 0, 4), 'HEP3')
  assert.equal(packet.readUInt16BE(4), packet.length)
  const chunks = new Map<number, Buffer>()
  let at = 6
  while (at < packet.length) {
    assert.equal(packet.readUInt16BE(at), 0, 'generic')
    const length = packet.readUInt16BE(at + 4)
    assert.ok(length >= 6 && at + length <= packet.length)
    chunks.set(packet.readUInt16BE(at + 2), packet.subarray(at + 6, at + length))
    at += length
  }
  return chunks
}

test('the bytes of a packet over IPv4', () => {
  assert.equal(
    hepPacket(message, US, { id: 2001, authKey: 'key' }).toString('hex'),
    [
      ...['48455033', '007f', '00000001000702', '00000002000711', '0000000700089cb0', '00000008000813c4'],
      ...['00000009000a695735a5', '0000000a000a000a5bf5', '0000000b000701', '0000000c000a000007d1'],
      ...['00000003000ac6336407', '00000004000ac0000201', '0000000e00096b6579'],
      ...['0000000f000d4f5054494f4e53', '00000011000c63616c6c2d31'],
    ].join(''),
  )
})

test('IPv6, streams, addresses of two kinds and such that are none', () => {
  const read = (more: Partial<CapturedMessage>) =>
    chunksOf(hepPacket({ ...message, ...more }, US, { id: 1, authKey: undefined }))
  const six = read({ direction: 'sent', transport: 'TLS', local: '[2001:db8::1]:5061', remote: '2001:db8:0:1::7:5061' })
  assert.deepEqual([...six.keys()], [1, 2, 7, 8, 9, 10, 11, 12, 5, 6, 15, 17])
  assert.deepEqual([six.get(1)?.[0], six.get(2)?.[0]], [10, 6])
  assert.equal(six.get(5)?.toString('hex'), '20010db8000000000000000000000001')
  assert.equal(six.get(6)?.toString('hex'), '20010db8000000010000000000000007')
  assert.equal(read({ remote: '::ffff:198.51.100.7:40112' }).get(3)?.toString('hex'), 'c6336407')
  const mixed = read({ local: '[2001:db8::1]:5060' })
  assert.equal(mixed.get(5)?.toString('hex'), '00000000000000000000ffffc6336407')
  const named = read({ local: 'sbc.example.com:5060' })
  assert.deepEqual([named.get(4)?.toString('hex'), named.get(8)?.readUInt16BE()], ['00000000', 5060])
  assert.equal(read({ local: 'nothing' }).get(8)?.readUInt16BE(), 0)
})

test('the longest message fits into a datagram', () => {
  const longest = { ...message, callId: 'x'.repeat(128), text: '€'.repeat(30_000) }
  const packet = hepPacket(longest, US, { id: 1, authKey: 'k'.repeat(9_000) })
  assert.ok(packet.length <= 65_507)
  assert.equal(chunksOf(packet).get(15)?.length, 63_000)
})

let house: CallEdge
let collector: Socket
let folder: string
const packets: Map<number, Buffer>[] = []
const texts = () => packets.map((p) => p.get(15)?.toString() ?? '')

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-hep-'))
  collector = createSocket('udp4')
  collector.bind(0, '127.0.0.1')
  await once(collector, 'listening')
  collector.on('message', (bytes) => packets.push(chunksOf(bytes)))
  house = await startCallEdge({
    env: { HEP_PASSWORD: PASSWORD },
    edge: exportTo(collector.address().port),
    trunks: { 'itsp-a': { srtp: 'required' } },
  })
})
after(async () => {
  await house.close()
  await new Promise<void>((done) => collector.close(done))
  await rm(folder, { recursive: true, force: true })
})

function exportTo(port: number, host = '127.0.0.1') {
  return { capture: { hep: `udp://${host}:${port}`, id: 77, password: { env: 'HEP_PASSWORD' } } }
}

/** Call after call until it holds: a new collector is used a moment after the revision. */
async function callUntil(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 30 && !holds(); i++) {
    await call()
    await new Promise((done) => setTimeout(done, 300))
  }
  assert.ok(holds())
}

const configured = (capture: object) =>
  house.edge.apply({ ...house.document, edge: { ...house.document.edge, ...capture } })

async function call(trunk = 'itsp-b', headers: [string, string][] = []): Promise<void> {
  house.route(() => plan([toTrunk(trunk, '12065550100')]))
  const made = await house.alice.call('912065550100', { headers })
  await made.answered
  await made.hangUp()
}

test('a call comes to the collector: both legs under one correlation id, with what crossed the wire', async () => {
  await call()
  const byes = () => texts().filter((text) => text.startsWith('BYE ')).length
  await eventually('the BYE of both legs', () => byes() === 2)
  const id = house.questions.at(-1)?.callId
  assert.deepEqual(new Set(packets.map((p) => p.get(17)?.toString())), new Set([id]))
  assert.deepEqual(new Set(packets.map((p) => p.get(14)?.toString())), new Set([PASSWORD]))
  assert.deepEqual(new Set(packets.map((p) => p.get(12)?.readUInt32BE())), new Set([77]))
  const ports = (method: string, inward: number) =>
    packets.filter((p) => p.get(15)?.toString().startsWith(method) && p.get(8)?.readUInt16BE() === inward).length
  assert.ok(ports('INVITE', house.edge.port('inside')) > 0)
  assert.equal(ports('INVITE', house.itspB.port), 1)
  const times = packets.map((p) => (p.get(9)?.readUInt32BE() ?? 0) * 1e6 + (p.get(10)?.readUInt32BE() ?? 0))
  assert.deepEqual(times, times.toSorted())
  assert.ok(Math.abs((times[0] ?? 0) / 1000 - Date.now()) < 60_000)
})

test('no credentials and no keys leave', async () => {
  const shown = 'Digest username="alice", realm="elsewhere", nonce="n", uri="sip:x", response="deadbeef"'
  await call('itsp-b', [['Proxy-Authorization', shown]])
  const credentials = /^Proxy-Authorization: Digest \[left out\]/m
  await eventually('credentials', () => texts().some((text) => credentials.test(text)))
  await call('itsp-a').catch(() => {})
  await eventually('an offer of SRTP', () => texts().some((text) => text.includes('RTP/SAVP')))
  assert.ok(texts().some((text) => /^a=crypto:.*\[left out\]/m.test(text)))
  for (const text of texts()) assert.doesNotMatch(text, /response=|deadbeef|inline:/i)
})

test('a collector that went away costs no call, and what it did not get is counted', async () => {
  const port = await steadyPort()
  await configured(exportTo(port))
  const before = house.edge.core.exportLost()
  // the packets of the first one make the machine say that nobody listens
  await callUntil(() => house.edge.core.exportLost() > before)
})

test('without edge.capture nothing is exported, and nothing is lost', async () => {
  const { capture: _, ...edge } = house.document.edge
  await house.edge.apply({ ...house.document, edge })
  const count = packets.length
  const before = house.edge.core.exportLost()
  await call()
  await house.ended(2)
  assert.equal(house.edge.core.exportLost(), before)
  assert.equal(packets.length, count)
})

/** It may be gone already, and it may not hear. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(late)
}

/** The capture that sngrep has made of these packets, as tshark tells it: time, source, destination, Call-ID. */
async function bySngrep(password: string, packets: readonly Buffer[], some: boolean): Promise<string[]> {
  const [conf, file] = [join(folder, 'sngreprc'), join(folder, `${password}.pcap`)]
  await writeFile(conf, `set eep.listen.pass ${password}\n`)
  const port = await steadyPort()
  const args = ['-F', '-f', conf, '-N', '-q', '-L', `udp:127.0.0.1:${port}`, '-O', file]
  const sngrep = spawn('sngrep', args, { stdio: 'ignore' })
  const probe = createSocket('udp4')
  try {
    const until = performance.now() + (some ? 30_000 : 2_000)
    // it says nothing when it listens: the packets come again until the first is in the file
    while (performance.now() < until && (!some || capturedBy(file).length < packets.length)) {
      for (const packet of packets) probe.send(packet, port, '127.0.0.1')
      await new Promise((done) => setTimeout(done, 200))
    }
  } finally {
    probe.close()
    await end(sngrep, 'SIGINT')
  }
  // it may have begun to listen between the two
  return [...new Set(capturedBy(file))].sort()
}

function capturedBy(file: string): string[] {
  if (!existsSync(file)) return []
  const fields = ['frame.time_epoch', 'ip.src', 'udp.srcport', 'ip.dst', 'udp.dstport', 'sip.Call-ID']
  const args = ['-r', file, '-Y', 'sip.Call-ID contains "sngrep-"', '-T', 'fields', '-E', 'separator=/s']
  const read = spawnSync('tshark', [...args, ...fields.flatMap((field) => ['-e', field])], { encoding: 'utf8' })
  return read.stdout.split('\n').filter((line) => line !== '')
}

test('sngrep takes what has its password, with time, addresses and ports as they were', {
  skip: noSngrep,
}, async () => {
  const packet = (id: string, direction: CapturedMessage['direction']) =>
    hepPacket({ ...message, direction, text: sipText(`sngrep-${id}`) }, US, { id: 2001, authKey: 'key' })
  const packets = [packet('in', 'received'), packet('out', 'sent')]
  const [one, two] = ['198.51.100.7 40112', '192.0.2.1 5060']
  assert.deepEqual(await bySngrep('key', packets, true), [
    `1767323045.678901000 ${two} ${one} sngrep-out`,
    `1767323045.678901000 ${one} ${two} sngrep-in`,
  ])
  assert.deepEqual(await bySngrep('other', packets, false), [])
})

test('Kamailio reads the messages of a call: method, status, source, Call-ID, over IPv4 and IPv6', {
  skip,
}, async () => {
  const port = await steadyPort()
  const log: string[] = []
  const kamailio = startKamailio(port, log)
  const probe = createSocket('udp4')
  const heard = (line: RegExp) => line.test(log.join(''))
  try {
    const six = { local: '[2001:db8::1]:5061', remote: '[2001:db8::7]:40112', transport: 'TLS' }
    const packet = hepPacket({ ...message, ...six, text: sipText('six') }, US, { id: 1, authKey: 'key' })
    await eventually('Kamailio hears IPv6', () => {
      probe.send(packet, port, '127.0.0.1')
      return heard(/HEP OPTIONS tcp 2001:db8::7:40112 six;/)
    })
    await configured(exportTo(port, 'localhost'))
    await callUntil(() => heard(new RegExp(`HEP INVITE udp 127\\.0\\.0\\.1:${house.alice.port} \\S+;`)))
    await eventually('the answer of the carrier', () =>
      heard(new RegExp(`HEP 200 udp 127\\.0\\.0\\.1:${house.itspB.port} \\S+;`)),
    )
  } catch (error) {
    assert.fail(`${error}: ${log.slice(-20).join('')}`)
  } finally {
    probe.close()
    await end(kamailio, 'SIGTERM')
  }
})

function startKamailio(port: number, log: string[]): ChildProcess {
  const cfg = join(import.meta.dirname, 'kamailio', 'hep.cfg')
  const listen = ['-l', `udp:127.0.0.1:${port}`, '-n', '1', '-m', '32', '-M', '4', '-Y', folder]
  const args = ['-f', cfg, '-DD', '-E', ...listen, '-A', `DATABASE="text://${folder}"`]
  const started = spawn(program as string, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  started.stderr?.on('data', (d: Buffer) => {
    if (log.length < 2000) log.push(d.toString())
  })
  return started
}
