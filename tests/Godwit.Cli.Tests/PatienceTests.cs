using Microsoft.Extensions.Time.Testing;

namespace Godwit.Cli.Tests;

public sealed class PatienceTests
{
    [Fact]
    public async Task A_wait_that_lasts_is_named_once_and_a_short_one_not_at_all()
    {
        var (clock, error) = (new FakeTimeProvider(), new WaitedWriter());
        var world = new CliEnvironment
        {
            Output = TextWriter.Null,
            Error = error,
            OpenInput = () => Stream.Null,
            OpenRawOutput = () => Stream.Null,
            Clock = clock,
            Variable = _ => null,
        };

        Assert.Equal(1, await Patience.WaitAsync(world, "what comes at once", () => Task.FromResult(1)));
        var late = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        var waiting = Patience.WaitAsync(world, "tiny to run", () => late.Task);
        clock.Advance(TimeSpan.FromMinutes(1));
        await error.UntilAsync("waiting for tiny to run\n");
        late.SetResult(2);

        Assert.Equal(2, await waiting);
        Assert.Equal("waiting for tiny to run\n", error.ToString());
    }

    [Fact]
    public async Task What_a_wait_throws_is_thrown() =>
        await Assert.ThrowsAsync<CliException>(() => Patience.WaitAsync<int>(
            new CliEnvironment
            {
                Output = TextWriter.Null,
                Error = TextWriter.Null,
                OpenInput = () => Stream.Null,
                OpenRawOutput = () => Stream.Null,
                Clock = new FakeTimeProvider(),
                Variable = _ => null,
            },
            "nothing",
            () => throw new CliException("it did not")));
}
