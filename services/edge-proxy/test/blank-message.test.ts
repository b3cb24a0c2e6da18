import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blank } from '../src/domain/blank-message.ts'

test('a captured message shows no place, whatever prefix its document uses, and no credentials', () => {
  for (const prefix of ['', 'p:', 'my-pidf.v1:']) {
    const xml = `<${prefix}presence xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"><HNO>15010</HNO></${prefix}presence>`
    const text = blank(`INVITE sip:911@x SIP/2.0\r\nAuthorization: Digest response="abc"\r\n\r\n${xml}\r\n--b--`)
    assert.doesNotMatch(text, /15010|abc/, prefix)
    assert.match(text, /--b--$/)
  }
})
