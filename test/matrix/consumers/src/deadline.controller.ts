import { type CanActivate, Controller, Get, Injectable, UseGuards } from '@nestjs/common';
import { outboundHeaders } from 'nestjs-bulwark';

/** Whether calls that are made here pass a deadline on. */
const hasDeadline = () => 'x-request-timeout-ms' in outboundHeaders();

let guarded = false;

@Injectable()
export class DeadlineGuard implements CanActivate {
  canActivate(): boolean {
    guarded = hasDeadline();
    return true;
  }
}

@Controller('deadline')
export class DeadlineController {
  @Get()
  @UseGuards(DeadlineGuard)
  get() {
    return { guard: guarded, handler: hasDeadline() };
  }
}
