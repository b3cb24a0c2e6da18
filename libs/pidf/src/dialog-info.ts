import { DIALOG_INFO } from './namespaces.ts'
import { element, text, XML_DECLARATION } from './xml-write.ts'

/** RFC 4235 4. */
export const DIALOG_INFO_TYPE = 'application/dialog-info+xml'

export interface DialogParty {
  readonly identity?: string
  readonly display?: string
  readonly target?: string
}

export interface DialogEntry {
  readonly id: string
  /** RFC 4235 3.7.1: always lower case on the wire. */
  readonly state: 'trying' | 'proceeding' | 'early' | 'confirmed' | 'terminated'
  readonly event?: 'cancelled' | 'rejected' | 'replaced' | 'local-bye' | 'remote-bye' | 'error' | 'timeout'
  /** SIP status that led to the state. */
  readonly code?: number
  readonly direction?: 'initiator' | 'recipient'
  readonly callId?: string
  readonly localTag?: string
  readonly remoteTag?: string
  /** Seconds. */
  readonly duration?: number
  readonly local?: DialogParty
  readonly remote?: DialogParty
}

export interface DialogInfo {
  readonly entity: string
  /** RFC 4235 4.1: from 0 up by 1 with each document of one subscription. */
  readonly version: number
  readonly state: 'full' | 'partial'
  readonly dialogs: readonly DialogEntry[]
}

/** A dialog-info document; `local` stands before `remote`, as the schema has it. */
export function writeDialogInfo(info: DialogInfo): string {
  return (
    XML_DECLARATION +
    element(
      'dialog-info',
      { xmlns: DIALOG_INFO, version: info.version, state: info.state, entity: info.entity },
      ...info.dialogs.map(writeDialog),
    )
  )
}

function writeDialog(dialog: DialogEntry): string {
  return element(
    'dialog',
    {
      id: dialog.id,
      'call-id': dialog.callId,
      'local-tag': dialog.localTag,
      'remote-tag': dialog.remoteTag,
      direction: dialog.direction,
    },
    element('state', { event: dialog.event, code: dialog.code }, dialog.state),
    dialog.duration === undefined
      ? undefined
      : element('duration', {}, String(Math.max(0, Math.trunc(dialog.duration)))),
    dialog.local && party('local', dialog.local),
    dialog.remote && party('remote', dialog.remote),
  )
}

function party(name: 'local' | 'remote', who: DialogParty): string {
  return element(
    name,
    {},
    who.identity === undefined ? undefined : element('identity', { display: who.display }, text(who.identity)),
    who.target === undefined ? undefined : element('target', { uri: who.target }),
  )
}
