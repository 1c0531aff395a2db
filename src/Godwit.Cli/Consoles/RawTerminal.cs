using System.Diagnostics;

namespace Godwit.Cli.Consoles;

/// <summary>
/// The terminal in raw mode, where each key goes on as it is pressed and Ctrl-C is the guest's; put back when disposed.
/// It asks <c>stty</c>, which every system with a terminal has, and which works on the terminal that it inherits.
/// </summary>
internal sealed class RawTerminal : IDisposable
{
    private static readonly TimeSpan SttyWaitMax = TimeSpan.FromSeconds(5);

    private readonly string before;

    private RawTerminal(string before) => this.before = before;

    /// <exception cref="CliException">The terminal cannot be set up.</exception>
    public static RawTerminal Enter()
    {
        var terminal = new RawTerminal(Stty("-g").Trim());
        Stty("raw", "-echo");
        return terminal;
    }

    public void Dispose() => Stty(before);

    private static string Stty(params string[] arguments)
    {
        try
        {
            using var stty = Process.Start(new ProcessStartInfo("stty", arguments) { RedirectStandardOutput = true })
                ?? throw new CliException("stty did not start, so the terminal stays as it is");
            var answer = stty.StandardOutput.ReadToEnd();
            return stty.WaitForExit(SttyWaitMax) && stty.ExitCode == 0
                ? answer
                : throw new CliException($"stty {string.Join(' ', arguments)} failed, so the terminal cannot be used raw. Use the console in a pipe: godwit vm console VM < /dev/null");
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new CliException("The console needs stty (package coreutils) to set the terminal up", ExitCodes.Failed, error);
        }
    }
}
