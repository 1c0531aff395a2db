using System.Runtime.ExceptionServices;

namespace Godwit.Linux.Processes;

/// <summary>A thread made for one piece of code and ended with it: what the code changes of its thread, such as a namespace, no other code ever sees.</summary>
internal static class DedicatedThread
{
    /// <summary>Waits for the code; its exception is thrown here.</summary>
    public static T Run<T>(string name, Func<T> code)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = code();
            }
            catch (Exception error)
            {
                failure = ExceptionDispatchInfo.Capture(error);
            }
        })
        { IsBackground = true, Name = name };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    /// <inheritdoc cref="Run{T}"/>
    public static void Run(string name, Action code) => Run(name, () =>
    {
        code();
        return true;
    });
}
