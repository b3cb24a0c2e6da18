/**
 * Two legs in one rtpengine: a "call" of its own there, with a tag a side. A leg has one with every leg that it exchanges
 * descriptions with, so forks do not disturb each other. When a leg goes and the one that stays knows our ports, the next
 * one takes its place (and its tag): the ports of the one that stays remain.
 *
 * Commands of one session go out one after the other: UDP keeps no order.
 */
import type { LegMedia } from '@tandem/contracts/call.ts'
import type { Sdp } from '@tandem/sdp/parse.ts'
import { writeSdp } from '@tandem/sdp/parse.ts'
import type { Keying, MediaPeer } from '../domain/media-engine.ts'
import type { NgAnswer, NgCommand, NgControl, NgNode, Patience } from './ng-control.ts'
import { countsOf } from './rtpengine-counts.ts'
import { profileOf } from './rtpengine-profile.ts'

/** An ordinary call waits longer than one for help, which has a relay of our own to go to. ms. */
const PATIENCE: Patience = [120, 250, 500]
const URGENT: Patience = [100, 150]
const QUERY: Patience = [200, 400]

export interface Side<L> {
  /** Undefined: it has gone, and its place may be taken. */
  leg: L | undefined
  readonly tag: string
  keying: Keying
  takeovers: number
  /** Its peer was sent a description with ports of this session. */
  told: boolean
  /** Of the tag, and what of that another leg had before. */
  counts: LegMedia | undefined
  base: LegMedia | undefined
}

export class NgSession<L> {
  readonly callId: string
  readonly sides: readonly [Side<L>, Side<L>]
  readonly #control: NgControl
  readonly #urgent: boolean
  #node: NgNode | undefined
  #queue: (() => void)[] = []
  #busy = false
  #over = false

  constructor(control: NgControl, callId: string, urgent: boolean, sides: readonly [Side<L>, Side<L>]) {
    this.#control = control
    this.callId = callId
    this.#urgent = urgent
    this.sides = sides
  }

  side(leg: L): Side<L> | undefined {
    return this.sides.find((side) => side.leg === leg)
  }

  opposite(side: Side<L>): Side<L> {
    return side === this.sides[0] ? this.sides[1] : this.sides[0]
  }

  /** The description for the other side's peer; undefined when no rtpengine gives one. */
  offer(from: Side<L>, sdp: Sdp, peer: MediaPeer, done: (text: string | undefined) => void): void {
    const to = this.opposite(from)
    const fields = { ...profileOf('offer', peer, to.keying, to.takeovers), 'from-tag': from.tag, 'to-tag': to.tag }
    this.#inOrder((next) => {
      const here = this.#node
      // where it is already; should that one be gone, the session begins anew elsewhere
      const nodes = this.#control.inTurn().filter((node) => node !== here)
      this.#describe(here?.up ? [here, ...nodes] : nodes, 'offer', fields, sdp, (text) => {
        if (text !== undefined) to.told = true
        next()
        done(text)
      })
    })
  }

  /** `from` answers what the other side has offered. */
  answer(from: Side<L>, sdp: Sdp, peer: MediaPeer, done: (text: string | undefined) => void): void {
    const to = this.opposite(from)
    const fields = { ...profileOf('answer', peer, to.keying), 'from-tag': to.tag, 'to-tag': from.tag }
    this.#inOrder((next) => {
      this.#describe(this.#node === undefined ? [] : [this.#node], 'answer', fields, sdp, (text) => {
        if (text !== undefined) to.told = true
        next()
        done(text)
      })
    })
  }

  /** Brings the counts up to date, as far as its rtpengine is there. */
  query(done: () => void): void {
    this.#inOrder((next) => {
      const finish = (answer: NgAnswer | undefined) => {
        this.#count(answer)
        next()
        done()
      }
      if (this.#node === undefined || this.#over) return finish(undefined)
      this.#node.ask({ command: 'query', 'call-id': this.callId }, QUERY, finish)
    })
  }

  /** Gives its ports back; the counts are the last ones. */
  delete(done: () => void): void {
    this.#inOrder((next) => {
      const finish = (answer: NgAnswer | undefined) => {
        this.#count(answer)
        next()
        done()
      }
      if (this.#node === undefined || this.#over) return finish(undefined)
      this.#over = true
      const from = this.sides[0].tag
      const command = { command: 'delete', 'call-id': this.callId, 'from-tag': from, 'delete-delay': 0 }
      this.#node.ask(command, PATIENCE, finish)
    })
  }

  #describe(
    nodes: readonly NgNode[],
    command: string,
    fields: Omit<NgCommand, 'command'>,
    sdp: Sdp,
    done: (text: string | undefined) => void,
  ): void {
    const [node, ...others] = nodes
    if (node === undefined) return void done(undefined)
    const asked = { command, 'call-id': this.callId, ...fields, sdp: writeSdp(sdp) }
    node.ask(asked, this.#urgent ? URGENT : PATIENCE, (answer) => {
      if (answer?.result === 'ok' && typeof answer.sdp === 'string') {
        this.#node = node
        return done(answer.sdp)
      }
      this.#describe(others, command, fields, sdp, done)
    })
  }

  #count(answer: NgAnswer | undefined): void {
    if (answer?.result !== 'ok') return
    const [a, b] = this.sides
    a.counts = countsOf(answer, a.tag, b.tag) ?? a.counts
    b.counts = countsOf(answer, b.tag, a.tag) ?? b.counts
  }

  #inOrder(step: (next: () => void) => void): void {
    this.#queue.push(() =>
      step(() => {
        this.#busy = false
        this.#run()
      }),
    )
    this.#run()
  }

  #run(): void {
    if (this.#busy) return
    const step = this.#queue.shift()
    if (step === undefined) return
    this.#busy = true
    step()
  }
}
