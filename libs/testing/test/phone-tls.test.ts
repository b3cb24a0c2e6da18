import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issueCertificate } from '../src/certificates.ts'
import { startItsp } from '../src/itsp.ts'
import { startPhone } from '../src/phone.ts'

const selfSigned = () => issueCertificate({ name: 'localhost', names: 'IP:127.0.0.1' })
const certificate = await selfSigned()

test('a phone on another network registers over TLS and is called over that connection', async () => {
  const server = await startItsp({
    name: 'edge',
    listen: 'tls://127.0.0.1:0',
    certificate,
    digestAccounts: { bob: 'secret' },
    challengeInvite: false,
  })
  const bob = await startPhone({
    name: 'bob',
    server: `tls://127.0.0.1:${server.port}`,
    bind: '127.0.0.2',
    password: 'secret',
    ca: certificate.certificate,
  })
  try {
    await bob.register()
    assert.match(bob.contactUri, /^sip:bob@127\.0\.0\.2:\d+;transport=tls$/)
    const out = await bob.call('12065550100')
    await out.answered
    assert.equal((await server.nextInvite()).transport, 'tls')
    await out.audio.hears(server.tone)
    await out.hangUp()
    const placed = await server.call({ from: '+12065550111', to: 'bob' })
    const incoming = await bob.nextCall()
    await incoming.answer()
    await placed.audio.hears(bob.tone)
    await incoming.hangUp()
    assert.deepEqual(await placed.ended, { by: 'peer', why: 'hung-up' })
  } finally {
    await bob.close()
    await server.close()
  }
})

test('a phone refuses a server whose certificate is not of the authority it was given', async () => {
  const server = await startItsp({ name: 'edge', listen: 'tls://127.0.0.1:0', certificate })
  try {
    const other = (await selfSigned()).certificate
    await assert.rejects(
      startPhone({ name: 'bob', server: `tls://127.0.0.1:${server.port}`, ca: other }),
      /self-signed/,
    )
  } finally {
    await server.close()
  }
})
