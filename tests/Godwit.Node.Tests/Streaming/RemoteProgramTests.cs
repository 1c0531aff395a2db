using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Godwit.Containers;
using Godwit.Node.Streaming;

namespace Godwit.Node.Tests.Streaming;

public sealed class RemoteProgramTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0, "Success", null)]
    [InlineData(7, "Failure", "NonZeroExitCode")]
    public async Task A_client_gets_all_that_was_printed_and_then_how_the_program_ended(int exitCode, string outcome, string? reason)
    {
        var line = new Line();
        await using var session = new Session(["one", "two"], failure: null);
        await RemoteProgram.JoinAsync(session, line, new RemoteOptions { StandardOutput = true }, _ => { }, () => exitCode, Stopping);
        Assert.Equal("onetwo", line.Output.ToString());
        Assert.Equal(outcome, (string?)line.Status!["status"]);
        Assert.Equal(reason, (string?)line.Status["reason"]);
    }

    [Fact]
    public async Task Output_that_breaks_off_is_a_failure_and_never_a_silent_success()
    {
        var line = new Line();
        await using var session = new Session(["one"], new IOException("the monitor has gone"));
        await RemoteProgram.JoinAsync(session, line, new RemoteOptions { StandardOutput = true }, _ => { }, () => 0, Stopping);
        Assert.Equal("one", line.Output.ToString());
        Assert.Equal("Failure", (string?)line.Status!["status"]);
        Assert.Contains("the monitor has gone", (string?)line.Status["message"], StringComparison.Ordinal);
    }

    private sealed class Session(IReadOnlyList<string> printed, Exception? failure) : IProcessSession
    {
        public async IAsyncEnumerable<OutputChunk> ReadOutputAsync([EnumeratorCancellation] CancellationToken stopping)
        {
            foreach (var piece in printed)
            {
                await Task.Yield();
                yield return new OutputChunk(OutputStream.Standard, Encoding.UTF8.GetBytes(piece));
            }

            if (failure is not null)
            {
                throw failure;
            }
        }

        public ValueTask WriteInputAsync(ReadOnlyMemory<byte> bytes, CancellationToken stopping) => ValueTask.CompletedTask;

        public ValueTask EndInputAsync(CancellationToken stopping) => ValueTask.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>A client that stays until it is told how it ended.</summary>
    private sealed class Line : IRemoteLine
    {
        private readonly TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public StringBuilder Output { get; } = new();

        public JsonNode? Status { get; private set; }

        public Task RunAsync(CancellationToken stopping) => gone.Task.WaitAsync(stopping);

        public ValueTask<int> ReadInputAsync(Memory<byte> buffer, CancellationToken stopping) => ValueTask.FromResult(0);

        public IAsyncEnumerable<TerminalSize> ReadSizesAsync(CancellationToken stopping) => AsyncEnumerable.Empty<TerminalSize>();

        public ValueTask WriteOutputAsync(OutputStream stream, ReadOnlyMemory<byte> bytes, CancellationToken stopping)
        {
            Output.Append(Encoding.UTF8.GetString(bytes.Span));
            return ValueTask.CompletedTask;
        }

        public ValueTask EndAsync(ReadOnlyMemory<byte> status, CancellationToken stopping)
        {
            Status = JsonNode.Parse(status.Span);
            gone.TrySetResult();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
