import type { Scope } from '../context/scope.js';
import type { SlotTicket } from './slot-ticket.js';

interface Loan {
  /** Calls inside the lender that its slot goes to next; some may have got another, or have left. */
  readonly waiting: Set<SlotTicket>;
  /** The lender has ended before who borrowed its slot. */
  ended: boolean;
  /** Of whom the lender has its slot, where it is borrowed itself. */
  lender: Scope | undefined;
}

/**
 * The slots that calls lend to calls made inside them, which would wait for what only they can free: to
 * one at a time. A call that waits for another inside it does not need its slot meanwhile.
 */
export class Loans {
  private readonly byLender = new Map<Scope, Loan>();

  /** @returns whether its slot was free to be lent, and is lent now */
  lend(lender: Scope): boolean {
    if (this.byLender.has(lender)) return false;
    this.byLender.set(lender, { waiting: new Set(), ended: false, lender: undefined });
    return true;
  }

  /** The ticket may have the lender's slot when it comes back. */
  reserve(lender: Scope, ticket: SlotTicket): void {
    this.byLender.get(lender)?.waiting.add(ticket);
  }

  /** The lender ends. @returns whether its slot stays with the one that has borrowed it */
  outlives(lender: Scope, itsLender: Scope | undefined): boolean {
    const loan = this.byLender.get(lender);
    if (loan === undefined) return false;
    loan.ended = true;
    loan.lender = itsLender;
    return true;
  }

  /** The slot comes back. @returns who has it next; where there is nobody, the loan is over */
  next(lender: Scope): SlotTicket | undefined {
    const { waiting, ended } = this.byLender.get(lender) as Loan;
    if (ended) return undefined;
    for (const ticket of waiting) {
      waiting.delete(ticket);
      if (ticket.waiting) return ticket;
    }
    return undefined;
  }

  /** @returns what became of the lender meanwhile */
  end(lender: Scope): Pick<Loan, 'ended' | 'lender'> {
    const loan = this.byLender.get(lender) as Loan;
    this.byLender.delete(lender);
    return loan;
  }
}
