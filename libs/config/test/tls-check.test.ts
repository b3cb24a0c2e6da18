/** `tandem check` on TLS: what does not fit together, and certificates that are missing, of others, or out of date. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type IssuedCertificate, issueCertificate } from '@tandem/testing/certificates.ts'
import { certificateFiles } from '../src/certificate-check.ts'
import { checkConfiguration, type Problem } from '../src/check.ts'

const acme = readFileSync(new URL('../../../examples/acme/tandem.yaml', import.meta.url), 'utf8')
const remote = 'certificate: certs/edge.pem, privateKey: certs/edge.key'
const trunkA = '    listener: carrier\n    translate:'
const made = await Promise.all(
  ['one', 'two'].map((name) => issueCertificate({ name, names: `DNS:${name}.example`, days: 100 })),
)
const pem = (file: string): string => {
  const [name, kind] = file.split('.')
  const { certificate, privateKey } = made.find((m) => m.name === name) as IssuedCertificate
  return kind === 'pem' ? certificate : privateKey
}

/** What is said about acme after these replacements: `line:column` and the message. */
function said(
  changes: readonly (readonly [from: string, to: string])[],
  certificates?: { texts: Record<string, string | null>; now?: number },
): string[] {
  let text = acme
  for (const [from, to] of changes) {
    assert.ok(text.includes(from), `acme has no ${from}`)
    text = text.replace(from, () => to)
  }
  const result = checkConfiguration({
    files: [{ path: 'tandem.yaml', text }],
    ...(certificates ? { certificates: { now: Date.now(), ...certificates } } : {}),
  })
  const all: Problem[] = [...(result.kind === 'bad' ? result.problems : []), ...result.warnings]
  for (const { line, column, instead } of all) assert.ok(line > 1 && column > 1 && instead.length > 5)
  return all.map((p) => p.message)
}

test('what does not fit together is said: certificates without TLS, a certificate without key, no name to look for', () => {
  const inside = 'inside-tcp: { url: "tcp://127.0.0.1:5060"'
  assert.deepEqual(said([[inside, `${inside}, clients: { ca: ca.pem }`]]), [
    'inside-tcp speaks tcp: it shows no certificate',
  ])
  const web = 'remote:     { url: "tls://127.0.0.1:5061"'
  const rtpengine = ['relay: embedded,', 'relay: rtpengine, control: ["udp://127.0.0.1:22222"],'] as const
  assert.deepEqual(said([[web, 'remote: { url: "ws://192.0.2.1:5062"'], rtpengine]), [
    'remote would take calls of browsers in the clear',
  ])
  assert.deepEqual(said([[web, 'remote: { url: "ws://127.0.0.1:5062"'], rtpengine]), [], 'behind a reverse proxy')
  assert.deepEqual(said([[web, 'remote: { url: "ws://127.0.0.1:5062"']]), [
    'browsers on remote need DTLS-SRTP and ICE, which the embedded relay has not',
  ])
  assert.deepEqual(said([['remote:     {', 'browser: { url: "wss://127.0.0.1:8443" }\n    remote: {'], rtpengine]), [
    'browser speaks TLS and has no certificate',
    'browser speaks TLS and has no privateKey',
  ])
  const tls = (written: string, listener = 'carrier') =>
    said([[trunkA, `    listener: ${listener}\n    tls: ${written}\n    translate:`]])
  assert.deepEqual(tls('{ certificate: a.pem }'), ['a certificate goes with its key: there is no privateKey'])
  assert.deepEqual(tls('{ clientCertificate: required }'), [
    'carrier speaks no TLS: nobody shows a certificate there',
    'nothing says which name the certificate of itsp-a holds',
  ])
  assert.deepEqual(tls('{ clientCertificate: required, names: [a.example] }', 'remote'), [])
  assert.deepEqual(tls('{ verify: false }'), ['whoever answers for itsp-a is believed to be the carrier'])
  const twice =
    'certificates: [{ host: a.example, certificate: a, privateKey: b }, { host: A.example, certificate: a, privateKey: b }]'
  assert.deepEqual(said([[remote, `${remote}, ${twice}`]]), ['two certificates for A.example'])
})

test('a certificate that is missing, of another key, for another host or out of date is said with its place', () => {
  const both = { 'certs/edge.pem': pem('one.pem'), 'certs/edge.key': pem('one.key') }
  assert.deepEqual(said([], { texts: both }), [])
  assert.deepEqual(said([], { texts: {} }), ['there is no file certs/edge.pem'], 'a warning: up makes one')
  assert.deepEqual(said([], { texts: { ...both, 'certs/edge.key': null } }), ['there is no file certs/edge.key'])
  assert.deepEqual(said([], { texts: { ...both, 'certs/edge.key': pem('two.key') } }), [
    'certs/edge.key is not the key of certs/edge.pem',
  ])
  assert.deepEqual(said([], { texts: { ...both, 'certs/edge.key': 'rubbish' } }), [
    'certs/edge.key holds no private key',
  ])
  assert.deepEqual(said([], { texts: { ...both, 'certs/edge.pem': 'rubbish' } }), [
    'certs/edge.pem holds no certificate',
  ])
  const day = 86_400_000
  const when = (days: number) => said([], { texts: both, now: Date.now() + days * day }).join()
  assert.match(when(200), /^certs\/edge\.pem \(CN=one\) ended on \d{4}-\d\d-\d\d \d\d:\d\d UTC$/)
  assert.match(when(-2), /begins on/)
  assert.match(when(80), /ends on/)

  const further = `${remote}, certificates: [{ host: two.example, certificate: a.pem, privateKey: a.key }], clients: { ca: ca.pem }`
  const texts = { ...both, 'a.pem': pem('one.pem'), 'a.key': pem('one.key'), 'ca.pem': pem('two.pem') }
  assert.deepEqual(said([[remote, further]], { texts }), ['a.pem is not for two.example but for DNS:one.example'])
  const right = { ...texts, 'a.pem': pem('two.pem'), 'a.key': pem('two.key') }
  assert.deepEqual(said([[remote, further]], { texts: right }), [])
  assert.deepEqual(said([[remote, further]], { texts: { ...right, 'ca.pem': null } }), ['there is no file ca.pem'])
})

test('a key of STIR that is missing, signs nothing or belongs to another certificate is said with its place', () => {
  const sign = 'stir: { sign: { x5u: "https://c.example/one.pem", key: { file: stir.key } } }'
  const stir = 'edge:\n  stir: { anchors: [two.pem], certificates: { "https://c.example/one.pem": one.pem } }\n'
  const changes = [[trunkA, `    listener: carrier\n    ${sign}\n    translate:`] as const, ['edge:\n', stir] as const]
  const base = { 'certs/edge.pem': pem('one.pem'), 'certs/edge.key': pem('one.key') }
  const texts = { ...base, 'one.pem': pem('one.pem'), 'two.pem': pem('two.pem'), 'stir.key': pem('one.key') }
  assert.deepEqual(said(changes, { texts }), [])
  assert.deepEqual(said(changes, { texts: { ...texts, 'stir.key': null } }), ['there is no file stir.key'])
  assert.deepEqual(said(changes, { texts: { ...texts, 'stir.key': pem('two.key') } }), [
    'stir.key is not the key of one.pem',
  ])
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  for (const key of ['rubbish', rsa as string])
    assert.deepEqual(said(changes, { texts: { ...texts, 'stir.key': key } }), ['stir.key holds no key that signs'])
  assert.deepEqual(said(changes, { texts: { ...texts, 'one.pem': null, 'two.pem': 'rubbish' } }), [
    'two.pem holds no certificate',
    'there is no file one.pem',
  ])
})

test('every file that the configuration names is found', () => {
  const tls = '{ ca: carrier.pem, certificate: us.pem, privateKey: us.key }'
  const text = acme.replace(trunkA, `    listener: carrier\n    tls: ${tls}\n    translate:`)
  const checked = checkConfiguration({ files: [{ path: 'tandem.yaml', text }] })
  assert.ok(checked.kind === 'ok')
  assert.deepEqual(certificateFiles(checked.configuration).sort(), [
    ...['carrier.pem', 'certs/edge.key', 'certs/edge.pem', 'us.key', 'us.pem'],
  ])
})
