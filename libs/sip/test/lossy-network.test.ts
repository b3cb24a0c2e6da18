import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ackInDialog, dialogKeyOfRequest, dialogOfUac, requestInDialog } from '../src/dialog/dialog.ts'
import { makeResponse } from '../src/message/make.ts'
import type { SipResponse } from '../src/message/message.ts'
import { toTag } from '../src/message/read.ts'
import type { RetransmitUntilAck } from '../src/transaction/retransmit-until-ack.ts'
import type { ServerTransaction } from '../src/transaction/server-transaction.ts'
import { edgePair, listener, request } from './edge-pair.ts'

const plan = fc.record({
  reliable: fc.boolean(),
  /** Which messages of each side are lost, in the order of sending; later ones arrive. */
  callerLoses: fc.array(fc.boolean(), { maxLength: 12 }),
  calleeLoses: fc.array(fc.boolean(), { maxLength: 12 }),
  ring: fc.boolean(),
  answer: fc.constantFrom(200, 302, 486, 603),
  answerAfterMs: fc.integer({ min: 0, max: 20_000 }),
  cancelAfterMs: fc.option(fc.integer({ min: 0, max: 20_000 })),
})

test('whatever is lost, a call comes to one end on both sides and no transaction or timer is left', () => {
  fc.assert(
    fc.property(plan, ({ reliable, callerLoses, calleeLoses, ring, answer, answerAfterMs, cancelAfterMs }) => {
      const retransmissions = new Map<string, RetransmitUntilAck>()
      const finals: string[] = []
      const pair = edgePair({
        reliable,
        onRequest(transaction) {
          if (transaction.request.method === 'INVITE') serve(transaction)
          else transaction.reply(200)
        },
        layer: {
          onAck: (ack) => retransmissions.get(toTag(ack) ?? '')?.stop(),
        },
      })
      const { caller, callee, time } = pair
      const serve = (transaction: ServerTransaction) => {
        if (ring) transaction.reply(180)
        callee.layer.timers.after(answerAfterMs, () => {
          if (transaction.answered) return
          if (answer !== 200) return void transaction.reply(answer)
          const contact = '<sip:bob@callee.example>'
          const ok = makeResponse(transaction.request, 200, { toTag: transaction.toTag, contact })
          retransmissions.set(
            transaction.toTag,
            callee.layer.accept(transaction, ok, () => undefined),
          )
        })
      }
      if (!reliable) {
        lossy(caller, callerLoses)
        lossy(callee, calleeLoses)
      }
      const invite = request()
      const call = caller.layer.request(invite, caller.wire, {
        onTimeout: () => finals.push('timeout'),
        onTransportError: () => finals.push('lost'),
        onResponse(response: SipResponse) {
          if (response.status < 200) return
          finals.push(String(response.status))
          const dialog = dialogOfUac(invite, response)
          if (!dialog) return
          call.ack(ackInDialog(dialog, invite))
          const [, bye] = requestInDialog(dialog, { method: 'BYE' })
          assert.equal(dialogKeyOfRequest(bye)?.startsWith(dialog.callId), true)
          caller.layer.request(bye, caller.wire, listener())
        },
      })
      if (cancelAfterMs !== null) caller.layer.timers.after(cancelAfterMs, () => call.cancel())
      time.advance(200_000)
      assert.equal(finals.length, 1)
      assert.deepEqual(
        [caller.layer.clientCount, caller.layer.serverCount, callee.layer.clientCount, callee.layer.serverCount],
        [0, 0, 0, 0],
      )
      assert.deepEqual([caller.layer.timers.size, callee.layer.timers.size, time.waiting], [0, 0, 0])
      assert.ok(callee.requests.filter(({ request: { method } }) => method === 'INVITE').length <= 1)
    }),
    { numRuns: 300 },
  )
})

function lossy(side: { wire: { send(bytes: Uint8Array): void }; lose: number }, losses: readonly boolean[]): void {
  const send = side.wire.send
  let at = 0
  side.wire.send = (bytes) => {
    if (losses[at++]) side.lose = 1
    send(bytes)
  }
}
