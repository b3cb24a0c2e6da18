import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { selfSigned } from '../src/up/certificate.ts'

test('a self-signed certificate is one that OpenSSL reads, verifies and matches to its key', async () => {
  const { certificate, privateKey } = await selfSigned({
    names: ['acme.example', 'localhost'],
    addresses: ['127.0.0.1', '::1'],
  })
  const x509 = new X509Certificate(certificate)
  assert.ok(x509.verify(x509.publicKey))
  assert.ok(x509.checkPrivateKey(createPrivateKey(privateKey)))
  assert.equal(x509.subject, 'CN=acme.example')
  assert.equal(x509.issuer, x509.subject)
  assert.equal(x509.checkHost('localhost'), 'localhost')
  assert.equal(x509.checkIP('127.0.0.1'), '127.0.0.1')
  assert.equal(x509.checkIP('::1'), '::1')
  assert.equal(x509.checkHost('other.example'), undefined)
  assert.ok(x509.ca)
  assert.ok(Date.parse(x509.validFrom) < Date.now() && Date.parse(x509.validTo) > Date.now() + 800 * 86_400_000)
})

test('two certificates have different serial numbers', async () => {
  const pair = () => selfSigned({ names: ['a'], addresses: [] })
  const serial = async () => new X509Certificate((await pair()).certificate).serialNumber
  assert.notEqual(await serial(), await serial())
})
