using System.Net.WebSockets;

namespace Godwit.ApiServer.Proxying;

/// <summary>A guest as it was found, and its node's agent.</summary>
/// <param name="Uid">The incarnation.</param>
/// <param name="Agent">Where it runs.</param>
/// <param name="IsMoving">A move of it has begun and has not ended.</param>
internal sealed record GuestAddress(string Uid, AgentAddress Agent, bool IsMoving);

/// <summary>
/// Finds a guest again whose agent ended a stream: the guest has moved, its agent was restarted, or it has ended. Which of
/// these it was is known when the API says so, which may be a moment later than the stream ended.
/// </summary>
/// <param name="find">The guest as the API has it now; null: it has ended.</param>
/// <param name="first">Where it was.</param>
/// <param name="clock">For pauses and bounds.</param>
internal sealed class GuestFollower(Func<Task<GuestAddress?>> find, GuestAddress first, TimeProvider clock)
{
    /// <summary>A move that ended, or an agent that is restarted, is known well within this.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    /// <summary>An agent that closed the stream of a guest that is not said to move: after this long the guest has ended.</summary>
    private static readonly TimeSpan GraceAfterClose = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    /// <summary>An agent that breaks the same stream again and again is asked no faster than this.</summary>
    private static readonly TimeSpan AgainPause = TimeSpan.FromSeconds(1);

    private string node = first.Agent.Node;

    /// <summary>Opens what follows; null when nothing does.</summary>
    /// <param name="mayStay">True: the agent broke off, so the stream may go on where it was.</param>
    /// <param name="open">Asks the agent, told whether the guest has moved there; null: not there.</param>
    /// <param name="stopping">Gives up.</param>
    public async Task<T?> NextAsync<T>(bool mayStay, Func<GuestAddress, bool, Task<T?>> open, CancellationToken stopping)
        where T : class
    {
        var began = clock.GetTimestamp();
        while (clock.GetElapsedTime(began) < Bound)
        {
            if (await find() is not { } guest || guest.Uid != first.Uid)
            {
                return null;
            }

            var moved = guest.Agent.Node != node;
            var waited = clock.GetElapsedTime(began);
            if (!moved && !mayStay && !guest.IsMoving && waited > GraceAfterClose)
            {
                return null;
            }

            if ((moved || (mayStay && waited > AgainPause)) && await TryAsync(guest, moved, open) is { } opened)
            {
                node = guest.Agent.Node;
                return opened;
            }

            await Task.Delay(Look, clock, stopping);
        }

        return null;
    }

    private static async Task<T?> TryAsync<T>(GuestAddress guest, bool moved, Func<GuestAddress, bool, Task<T?>> open)
        where T : class
    {
        try
        {
            return await open(guest, moved);
        }
        catch (Exception error) when (error is HttpRequestException or WebSocketException)
        {
            return null; // Its agent does not answer, or has it no more: so the API is about to say otherwise.
        }
    }
}
