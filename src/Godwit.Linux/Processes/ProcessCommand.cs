using System.Globalization;

namespace Godwit.Linux.Processes;

/// <summary>A process's command line, as it tells it itself: to recognise our own, never to trust others.</summary>
public static class ProcessCommand
{
    /// <summary>Empty for a process that has ended.</summary>
    public static IReadOnlyList<string> Read(int processId)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/cmdline")).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
