using Godwit.Linux.Commands;

namespace Godwit.Linux.Tests.Commands;

public sealed class CommandTests
{
    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Input_goes_in_and_output_comes_out() =>
        Assert.Equal("a $b\n", await new Command("cat") { Input = "a $b\n" }.RunAsync(TimeProvider.System, Stopping));

    [Fact]
    public async Task A_failure_carries_code_and_words()
    {
        var failure = await Assert.ThrowsAsync<CommandException>(() => new Command("sh", "-c", "echo why >&2; exit 3").RunAsync(TimeProvider.System, Stopping));
        Assert.Equal(3, failure.ExitCode);
        Assert.Contains("why", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_that_does_not_end_is_ended()
    {
        var failure = await Assert.ThrowsAsync<CommandException>(() => new Command("sleep", "600") { Bound = TimeSpan.FromMilliseconds(50) }.RunAsync(TimeProvider.System, Stopping));
        Assert.Contains("not done after", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_that_says_too_much_is_ended()
    {
        var failure = await Assert.ThrowsAsync<CommandException>(() => new Command("cat", "/dev/zero").RunAsync(TimeProvider.System, Stopping));
        Assert.Contains("more than is bearable", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_that_is_not_there_is_named()
    {
        var failure = await Assert.ThrowsAsync<CommandException>(() => new Command("no-such-tool", "x").RunAsync(TimeProvider.System, Stopping));
        Assert.Contains("no-such-tool x", failure.Message, StringComparison.Ordinal);
    }
}
