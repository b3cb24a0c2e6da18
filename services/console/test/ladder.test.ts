import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CapturedMessage } from '@tandem/contracts/call.ts'
import { drawLadder, ladderText } from '../src/domain/ladder.ts'

let clock = 0

function crossed(
  legId: string,
  direction: 'received' | 'sent',
  startLine: string,
  more: Partial<CapturedMessage> & { headers?: readonly string[] } = {},
): CapturedMessage {
  const { headers = [], ...rest } = more
  clock += 1000
  return {
    ...{ callId: 'call-1', legId, at: '2026-01-02T03:04:05.678Z', offsetUs: clock, direction, transport: 'UDP' },
    ...{ peer: legId === 'a' ? 'user:alice' : `trunk:${legId}`, local: '192.0.2.1:5060', remote: '192.0.2.7:5060' },
    text: [startLine, `Call-ID: ${legId}`, ...headers, 'Content-Length: 0', '', ''].join('\r\n'),
    ...rest,
  }
}

const invite = 'INVITE sip:+12065550100@example.com SIP/2.0'
const draw = (messages: readonly CapturedMessage[]) => drawLadder('call-1', messages)
const steps = (messages: readonly CapturedMessage[]) =>
  draw(messages).arrows.map((a) => `${a.from}>${a.to} ${a.label}${a.retransmission ? ' again' : ''}`)

test('what is sent again is marked, on its own leg and in its own direction only', () => {
  const messages = [
    crossed('a', 'received', invite),
    crossed('a', 'received', invite),
    crossed('a', 'sent', 'SIP/2.0 100 Trying'),
    crossed('b', 'sent', invite),
    crossed('b', 'sent', invite),
    crossed('b', 'received', 'SIP/2.0 200 OK'),
    crossed('a', 'sent', 'SIP/2.0 200 OK'),
    crossed('b', 'received', 'SIP/2.0 200 OK'),
    crossed('b', 'received', 'SIP/2.0 200 OK'),
  ]
  const right = [
    ...['0>1 INVITE', '0>1 INVITE again', '1>0 100 Trying', '1>2 INVITE', '1>2 INVITE again', '2>1 200 OK'],
    ...['1>0 200 OK', '2>1 200 OK again', '2>1 200 OK again'],
  ]
  assert.deepEqual(steps(messages), right)
  assert.deepEqual(steps(messages.toReversed()), right)
  const lines = ladderText(draw(messages)).split('\n')
  assert.match(lines[3] ?? '', /┄ INVITE again ┄/)
  assert.match(lines[2] ?? '', /─ INVITE ─/)
})

test('failover and forks: a column for each leg, also for two phones of a user and a second try at a trunk', () => {
  const to = (peer: string) => ({ peer })
  const messages = [
    crossed('a', 'received', invite),
    crossed('b', 'sent', invite, to('trunk:itsp-a')),
    crossed('b', 'received', 'SIP/2.0 503 Service Unavailable', to('trunk:itsp-a')),
    crossed('c', 'sent', invite, to('trunk:itsp-a')),
    crossed('d', 'sent', invite, to('user:bob')),
    crossed('e', 'sent', invite, to('user:bob')),
    crossed('e', 'received', 'SIP/2.0 200 OK', to('user:bob')),
    crossed('d', 'sent', 'CANCEL sip:bob@example.com SIP/2.0', to('user:bob')),
  ]
  assert.deepEqual(draw(messages).columns, [
    ...['user:alice', 'tandem', 'trunk:itsp-a', 'trunk:itsp-a (2)', 'user:bob', 'user:bob (2)'],
  ])
  assert.deepEqual(steps(messages), [
    ...['0>1 INVITE', '1>2 INVITE', '2>1 503 Service Unavailable', '1>3 INVITE', '1>4 INVITE', '1>5 INVITE'],
    ...['5>1 200 OK', '1>4 CANCEL'],
  ])
})

test('a call that comes from a carrier and goes back to it has both legs', () => {
  const peer = { peer: 'trunk:itsp-a' }
  const messages = [crossed('a', 'received', invite, peer), crossed('b', 'sent', invite, peer)]
  assert.deepEqual(draw(messages).columns, ['trunk:itsp-a', 'tandem', 'trunk:itsp-a (2)'])
  assert.deepEqual(steps(messages), ['0>1 INVITE', '1>2 INVITE'])
})

test('a leg that begins at the edge, and one whose peer is called as the edge, stand where they should', () => {
  assert.deepEqual(steps([crossed('a', 'sent', invite), crossed('b', 'sent', invite)]), ['1>0 INVITE', '1>2 INVITE'])
  const messages = [crossed('a', 'received', invite, { peer: 'tandem' })]
  assert.deepEqual(steps(messages), ['0>1 INVITE'])
  assert.equal(ladderText(draw([])).trim(), 'tandem')
})

test('TLS and WSS are named under the leg that uses them', () => {
  const messages = [
    crossed('a', 'received', invite, { transport: 'WSS' }),
    crossed('b', 'sent', invite, { transport: 'TLS' }),
    crossed('c', 'sent', invite, { transport: 'UDP' }),
    crossed('c', 'received', 'SIP/2.0 200 OK', { transport: 'TCP' }),
  ]
  assert.deepEqual(
    draw(messages).arrows.map((a) => a.transport),
    ['WSS', 'TLS', 'UDP', 'TCP'],
  )
  assert.deepEqual(
    ladderText(draw(messages))
      .split('\n')[1]
      ?.trim()
      .split(/\s{2,}/),
    ['WSS', 'TLS', 'UDP, TCP'],
  )
})

test('REFER and NOTIFY in the dialog are steps of their own, with what they carry', () => {
  const sipfrag = { headers: ['Content-Type: message/sipfrag;version=2.0'] }
  const messages = [
    crossed('a', 'received', 'REFER sip:tandem@example.com SIP/2.0', { headers: ['CSeq: 2 REFER'] }),
    crossed('a', 'sent', 'SIP/2.0 202 Accepted'),
    crossed('a', 'sent', 'NOTIFY sip:alice@example.com SIP/2.0', { headers: ['CSeq: 1 NOTIFY', ...sipfrag.headers] }),
    crossed('a', 'sent', 'NOTIFY sip:alice@example.com SIP/2.0', { headers: ['CSeq: 2 NOTIFY', ...sipfrag.headers] }),
    crossed('a', 'received', invite, { headers: ['c: application/sdp'] }),
    crossed('a', 'received', 'MESSAGE sip:x SIP/2.0', {
      text: 'MESSAGE sip:x SIP/2.0\r\nTo: x\r\n\r\nhi\r\nc: text/plain',
    }),
  ]
  assert.deepEqual(steps(messages), [
    ...['0>1 REFER', '1>0 202 Accepted', '1>0 NOTIFY (message/sipfrag)', '1>0 NOTIFY (message/sipfrag)'],
    ...['0>1 INVITE (SDP)', '0>1 MESSAGE'],
  ])
})

for (const width of [60, 80, 120, 300]) {
  test(`in a terminal of ${width} characters no line is longer, names and labels are cut, the mark of a repeat stays`, () => {
    const long = { peer: `trunk:${'carrier-of-the-north-'.repeat(3)}` }
    const messages = [
      crossed('a', 'received', invite, { headers: ['Content-Type: application/sdp'] }),
      crossed('b', 'sent', invite, long),
      crossed('b', 'sent', invite, long),
      crossed('c', 'sent', invite),
      crossed('c', 'received', 'SIP/2.0 480 Temporarily Unavailable Because Nobody Is There'),
      crossed('d', 'sent', invite),
    ]
    const lines = ladderText(draw(messages), width).split('\n')
    for (const line of lines) assert.ok([...line].length <= width, `${[...line].length}: ${line}`)
    assert.match(lines[0] ?? '', /(user:)?al.* tandem .*…/)
    assert.match(lines[4] ?? '', /┄/)
    for (const line of lines.slice(2, -1)) assert.match(line, /[▶◀]/)
    if (width >= 80) assert.match(lines[4] ?? '', /INV\S* again|INVITE/)
    if (width === 300) assert.match(lines[2] ?? '', /─ INVITE \(SDP\) ─/)
  })
}

test('in a narrow terminal two trunks are still told apart, and a message keeps its name', () => {
  const messages = [
    crossed('a', 'received', invite, { headers: ['Content-Type: application/sdp'] }),
    crossed('b', 'sent', invite, { peer: 'trunk:itsp-a' }),
    crossed('c', 'sent', invite, { peer: 'trunk:itsp-b', headers: ['Content-Type: application/sdp'] }),
    crossed('d', 'sent', invite, { peer: 'trunk:carrier-of-the-north' }),
  ]
  const [names, , first] = ladderText(draw(messages), 60).split('\n')
  assert.match(names ?? '', /alice +tandem +itsp-a +itsp-b +carr…rth$/)
  assert.match(first ?? '', /│─ INV.* ?▶│/)
})

test('what a stranger writes into a reason or a name does not reach the terminal as control characters', () => {
  const messages = [crossed('a', 'received', 'SIP/2.0 486 \u001b[2Jgone', { peer: 'user:\u001b]0;x\u0007' })]
  assert.doesNotMatch(ladderText(draw(messages)), /[^\P{C}\n]/u)
})
