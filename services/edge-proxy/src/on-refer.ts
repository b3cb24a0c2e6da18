/** A REFER inside a call: whether it is acted on, passed on or refused (RFC 3515, edge.md E7, docs/adr/0060). */
import type { TransferMode } from '@tandem/config/defaults.ts'
import { ResolveRoute } from '@tandem/contracts/routing.ts'
import { cseq } from '@tandem/sip/message/read.ts'
import { type Reference, readRefer, writeReplaces } from '@tandem/sip/message/refer.ts'
import { parseUri, unescapeUser } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { CallParts } from './domain/call-parts.ts'
import { userPart } from './domain/leg-identity.ts'
import { meantBy } from './domain/meant-device.ts'
import { forwardRefer } from './domain/refer-forward.ts'
import { NO_SUBSCRIPTION, type ReferSubscription, referSubscription } from './domain/refer-subscription.ts'
import { Transfer } from './domain/transfer.ts'
import {
  legToReplace,
  nameOfParty,
  numberAt,
  referredBy,
  samePeer,
  type Transferring,
  transferMode,
  transferQuestion,
} from './domain/transfer-parties.ts'

/** The router is waited for, ms. */
const ROUTE_MS = 800

export function createRefer(parts: () => CallParts): CallParts['refer'] {
  return (session, transferor, transaction) => {
    const { edge, config } = parts()
    const transferring: Transferring = { session, transferor, transferee: session.other(transferor) }
    const mode: TransferMode = transferMode(config(), transferring)
    if (mode === 'reject') return void transaction.reply(603)
    const read = readRefer(transaction.request)
    if (read.kind === 'refuse') return void transaction.reply(read.status, { reason: read.reason })
    // one at a time: RFC 3261 14.2 in spirit
    if (session.transfer) return void transaction.reply(491)
    const { reference } = read
    const sequence = cseq(transaction.request)?.sequence
    // RFC 3515 2.4.6: "for the second and subsequent REFER requests a UA receives in a given dialog, it MUST include an id"
    const id = transferor.refers > 0 ? sequence : undefined
    transferor.refers++
    const after = (ms: number, run: () => void) => void edge.transactions.timers.after(ms, run)
    const subscription = reference.subscribe ? referSubscription(session, transferor, id, after) : NO_SUBSCRIPTION
    if (mode === 'forward') {
      pass(parts(), transferring, reference, subscription, transaction).catch((error: unknown) => {
        edge.log.error({ call: session.facts.callId, err: error }, 'a transfer could not be passed on')
        if (!transaction.answered) transaction.reply(500)
      })
      return
    }
    accept(transaction, transferor.contact, reference)
    new Transfer({ ...transferring, parts: parts(), reference, subscription, emergency: session.emergency }).start()
  }
}

/** RFC 4488 4: `Refer-Sub: false` says that there will be no NOTIFY. */
function accept(transaction: ServerTransaction, contact: string, { subscribe }: Reference): void {
  transaction.reply(202, { contact, headers: subscribe ? [] : [['Refer-Sub', 'false']] })
}

async function pass(
  parts: CallParts,
  transferring: Transferring,
  reference: Reference,
  subscription: ReferSubscription,
  transaction: ServerTransaction,
): Promise<void> {
  const { session, transferor, transferee } = transferring
  const target = await targetThere(parts, transferring, reference)
  if (transaction.answered) return
  if (session.over) return void transaction.reply(481)
  if (typeof target === 'number') return void transaction.reply(target)
  session.transfer = forwardRefer({
    session,
    transferee,
    referTo: `<${target}>`,
    referredBy: referredBy(parts.config(), transferor, numberAt(parts.config(), session, transferor)),
    subscription,
    after: (ms, run) => void parts.edge.transactions.timers.after(ms, run),
    answered(response) {
      if (transaction.answered) return
      if (response === undefined) return void transaction.reply(408)
      const { status } = response
      if (status < 300) return void accept(transaction, transferor.contact, reference)
      // a challenge or a redirection of the far side is nothing that this side could answer
      transaction.reply(status < 400 || status === 401 || status === 407 ? 603 : status)
    },
  })
}

/** The URI that means the target to the transferee, through us; or the status that says why there is none. */
async function targetThere(
  parts: CallParts,
  transferring: Transferring,
  { uri, uriText, replaces }: Reference,
): Promise<string | number> {
  const { session, transferor, transferee } = transferring
  const { edge } = parts
  const host = transferee.party.kind === 'user' ? parts.config().domain : transferee.wire.sentBy
  if (replaces) {
    const found = legToReplace(parts.dialogs, replaces, true)
    if (found?.leg.dialog === undefined || !samePeer(found.leg.party, transferor.party)) return 481
    // RFC 3891 3: who comes with this Replaces comes for the transferor
    found.leg.replaceableBy = nameOfParty(transferee.party)
    const { localTag, dialog, sipCallId } = found.leg
    const meant = { callId: sipCallId, toTag: localTag, fromTag: dialog.remoteTag, earlyOnly: false }
    return `sip:${userPart(unescapeUser(uri.user ?? 'transfer'))}@${host}?Replaces=${writeReplaces(meant)}`
  }
  const meant = meantBy(edge.bindings, uri)
  if (meant === undefined) return 404
  const dialled = meant.name
  const target = { dialled, uri: uriText }
  const question = transferQuestion(parts.config(), transferring, session.facts.callId, target, edge.clock.wall())
  const asked = await edge.bus.ask(ResolveRoute, question, { timeoutMs: ROUTE_MS })
  if (asked.kind !== 'answer') return 503
  const decision = asked.answer
  if (decision.kind === 'reject') return decision.status
  if (decision.emergency) return 403
  const attempts = decision.branches.flatMap((branch) => branch.attempts)
  const { party } = transferee
  const own = attempts.find((a) => a.kind === 'trunk' && party.kind === 'trunk' && a.trunk === party.trunk)
  // the carrier that has the call keeps it: the number as its trunk wants it, at its own address
  if (own?.kind === 'trunk') return `sip:${userPart(own.called)}@${hostOf(transferee.dialog?.remoteTarget) ?? host}`
  const number = decision.normalised ?? decision.callee.number ?? decision.callee.user ?? dialled
  return `sip:${userPart(number)}@${host}`
}

function hostOf(target: string | undefined): string | undefined {
  const uri = target === undefined ? undefined : parseUri(target)
  if (uri === undefined || uri.host === '') return undefined
  return uri.port === undefined ? uri.host : `${uri.host}:${uri.port}`
}
