import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CapturedMessage } from '@tandem/contracts/call.ts'
import { pcapOf } from '../src/domain/pcap.ts'

const skip = spawnSync('tshark', ['--version']).error ? 'tshark is not installed' : false

function message(
  offsetUs: number,
  direction: 'received' | 'sent',
  more: Partial<CapturedMessage> = {},
): CapturedMessage {
  const text = [
    'OPTIONS sip:x@example.com SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
    'From: <sip:a@example.com>;tag=1',
    'To: <sip:b@example.com>',
    'Call-ID: odd',
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
  return {
    ...{ callId: 'call-1', legId: 'leg-a', at: '2026-01-02T03:04:05.678Z', offsetUs, direction, peer: 'user:alice' },
    ...{ transport: 'UDP', local: '192.0.2.1:5060', remote: '198.51.100.7:40112', text },
    ...more,
  }
}

const noSngrep = skip || (spawnSync('sngrep', ['--version']).error ? 'sngrep is not installed' : false)

test('sngrep opens the capture and finds each message, over IPv4 and IPv6', { skip: noSngrep }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-sngrep-'))
  try {
    const [file, out] = [join(folder, 'call.pcap'), join(folder, 'out.pcap')]
    const six = { transport: 'TLS', local: '[2001:db8::1]:5061', remote: '[2001:db8:0:1::7]:5061' }
    writeFileSync(file, pcapOf([message(0, 'received'), message(2500, 'sent', six)]))
    const sngrep = spawnSync('sngrep', ['-F', '-N', '-q', '-I', file, '-O', out], { timeout: 20_000 })
    assert.equal(sngrep.status, 0, sngrep.stderr.toString())
    // it writes only what it took for SIP
    const fields = ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst']
    const args = ['-r', out, '-T', 'fields', '-E', 'separator=,', ...fields.flatMap((f) => ['-e', f])]
    assert.deepEqual(spawnSync('tshark', args).stdout.toString().trim().split('\n'), [
      '198.51.100.7,192.0.2.1,,',
      ',,2001:db8::1,2001:db8:0:1::7',
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('tshark reads the capture: addresses, ports, times, right checksums, SIP whole', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tandem-pcap-'))
  try {
    const file = join(folder, 'call.pcap')
    const later = { at: '2026-01-02T03:04:05.680Z' }
    const six = { ...later, transport: 'TLS', local: '[2001:db8::1]:5061', remote: '2001:db8:0:1::7:5061' }
    writeFileSync(file, pcapOf([message(1500, 'sent', later), message(0, 'received'), message(2500, 'sent', six)]))
    const fields = ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'udp.srcport', 'udp.dstport', 'sip.Method']
    const read = spawnSync('tshark', [
      ...['-r', file, '-d', 'udp.port==5061,sip', '-o', 'udp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'],
      ...['-T', 'fields', '-E', 'separator=,', ...fields.flatMap((f) => ['-e', f])],
      ...['-e', 'udp.checksum.status', '-e', 'ip.checksum.status', '-e', 'frame.time_epoch', '-e', '_ws.malformed'],
    ])
    assert.equal(read.status, 0, read.stderr.toString())
    const lines = read.stdout.toString().trim().split('\n')
    assert.deepEqual(lines, [
      `198.51.100.7,192.0.2.1,,,40112,5060,OPTIONS,1,1,1767323045.678000000,`,
      `192.0.2.1,198.51.100.7,,,5060,40112,OPTIONS,1,1,1767323045.679500000,`,
      `,,2001:db8::1,2001:db8:0:1::7,5061,5061,OPTIONS,1,,1767323045.680500000,`,
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
